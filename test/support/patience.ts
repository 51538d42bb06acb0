/** How many times as long as on a real machine the tests wait: TEST_PATIENCE, which the slow virtual machine sets. */
export const patience = Number(process.env.TEST_PATIENCE ?? 1);
