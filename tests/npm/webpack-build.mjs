/* Builds app.js in the current folder into dist/app.js. */
import webpack from "webpack";

const context = process.cwd();
const output = { path: `${context}/dist`, filename: "app.js" };
webpack({ context, mode: "production", entry: "./app.js", output, performance: false }, (error, stats) => {
  if (!error && !stats.hasErrors() && !stats.hasWarnings()) return;
  console.error(error ?? stats.toString());
  process.exitCode = 1;
});
