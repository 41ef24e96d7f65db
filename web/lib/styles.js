/* Written by build.js from progress.css. */
export const CSS = `/* Written by build.js from the files in styles/. */
/* styles/base.css */
:root,
:host {
  --ground: light-dark(#f5f6f9, #0d1117);
  --card: light-dark(#ffffff, #161b24);
  --line: light-dark(#e3e6ed, #2b323e);
  --text: light-dark(#18202c, #e8ebf1);
  --quiet: light-dark(#596273, #9ca7b7);
  --track: light-dark(#e8eaf1, #0a0e14);
  --code: light-dark(#f5f6f9, #10151c);
  --accent: light-dark(#4f46e5, #8f95fa);
  --fill: light-dark(#4f46e5, #5a52ea);
  --fill-end: light-dark(#7152ea, #7a55ee);
  --good: light-dark(#14763a, #4ade80);
  --good-fill: light-dark(#15803d, #167a3d);
  --warn: light-dark(#8f5205, #fbbf24);
  --bad: light-dark(#b81c2b, #ff8b91);
  --bad-fill: #c01f2e;
  --off-fill: #5b6474;
  --bad-ground: light-dark(#fdf2f2, #29181c);
  --radius: 0.875rem;
  --font:
    system-ui,
    "Segoe UI",
    Roboto,
    "Hiragino Sans",
    "Noto Sans JP",
    "Noto Sans CJK JP",
    sans-serif;
  --mono:
    ui-monospace,
    "SF Mono",
    Menlo,
    Consolas,
    "DejaVu Sans Mono",
    "Noto Sans Mono CJK JP",
    monospace;
  --shadow: 0 1px 2px light-dark(rgb(24 32 44 / 5%), rgb(0 0 0 / 40%)), 0 16px 40px -20px light-dark(rgb(24 32 44 / 20%), rgb(0 0 0 / 70%));
}
:host {
  display: block;
  text-align: start;
}
body,
:host {
  font: 1rem / 1.5 var(--font);
}
:host([hidden]) {
  display: none;
}
*,
::before,
::after {
  box-sizing: border-box;
}
.session {
  container-type: inline-size;
  contain-intrinsic-inline-size: 34rem;
}
body,
.session {
  color: var(--text);
  font-size: 1rem;
  font-variant-numeric: tabular-nums;
  word-break: auto-phrase;
}
p,
h1,
h2,
pre {
  margin: 0;
}
[hidden] {
  display: none !important;
}
.visually-hidden {
  position: absolute;
  width: 1px;
  height: 1px;
  overflow: hidden;
  clip-path: inset(50%);
  white-space: nowrap;
}
.quiet {
  color: var(--quiet);
  font-size: 0.9375rem;
}
.card,
:host .session {
  padding: clamp(1rem, 3.5vw, 1.75rem);
  border: 1px solid var(--line);
  border-radius: var(--radius);
  background: var(--card);
  box-shadow: var(--shadow);
}
:host .card {
  padding: 0;
  border: 0;
  box-shadow: none;
}
.sessions {
  display: grid;
  grid-template-columns: minmax(0, 1fr);
  gap: 1.5rem;
}
.title,
.links,
.labels,
.job,
.headline,
.failed-step,
.request-text,
.dialog-question,
.name,
.message {
  overflow: clip;
  overflow-clip-margin: 0.25em;
}
summary {
  min-height: 1.5rem;
  font-weight: 650;
  cursor: pointer;
}
@media print {
  details:not([open]) {
    display: none;
  }
  summary {
    list-style: none;
  }
}
.button {
  min-height: 1.5rem;
  padding: 0.25rem 0.75rem;
  border: 1px solid var(--line);
  border-radius: 0.5rem;
  background: var(--card);
  color: inherit;
  font: inherit;
  font-size: 0.8125rem;
  font-weight: 600;
  cursor: pointer;
}
.button:hover:enabled {
  border-color: var(--accent);
  color: var(--accent);
}
.button:disabled,
.button[aria-disabled=true] {
  color: var(--quiet);
  cursor: default;
}
:is(summary, .button, input, a, .error-text, .headline, .request-text, .parts-list, .steps > li):focus-visible {
  border-radius: 0.375rem;
  outline: 2px solid var(--accent);
  outline-offset: 2px;
}

/* styles/icons.css */
.drawing {
  flex: none;
  width: 1rem;
  height: 1rem;
  fill: none;
  stroke: currentcolor;
  stroke-width: 1.5;
  stroke-linecap: round;
  stroke-linejoin: round;
}
.icon-solid {
  fill: currentcolor;
  stroke: none;
}
.icon-faint {
  opacity: 0.3;
}
.icon-inverse {
  stroke: var(--card);
  stroke-width: 1.75;
}
:is(.state-icon, .icon, .fold-icon) {
  color: var(--quiet);
}
:is(.state-icon, .icon, .fold-icon):has(.drawing-success) {
  color: var(--good);
}
:is(.state-icon, .icon):has(.drawing-error, .drawing-lost) {
  color: var(--bad);
}
:is(.state-icon, .icon):has(.drawing-running) {
  color: var(--accent);
}
:is(.state-icon, .icon):has(.drawing-stalled) {
  color: var(--warn);
}
.drawing-running {
  animation: turn 1.1s linear infinite;
}
.state-icon > .drawing {
  display: block;
}

/* styles/head.css */
.head {
  display: grid;
  grid-template-columns: minmax(0, 1fr) auto;
  align-items: start;
  gap: 0 1rem;
  margin: 0 0.25rem 0.75rem;
}
:host .head {
  margin-inline: 0;
}
.about-job {
  display: contents;
}
.head-side {
  grid-area: 1 / 2;
}
.job,
.labels {
  grid-column: 1 / -1;
}
@container (max-width: 34rem) {
  .head {
    row-gap: 0.25rem;
  }
  .head-side {
    grid-area: 1 / 1 / 2 / -1;
    justify-content: space-between;
  }
  .title {
    grid-column: 1 / -1;
  }
}
.title,
h1.jobs {
  min-width: 0;
  font-size: 1.125rem;
  font-weight: 700;
  letter-spacing: -0.012em;
  line-height: 1.3;
  overflow-wrap: anywhere;
}
h1:is(.title, .jobs) {
  font-size: clamp(1.25rem, 5vw, 1.5rem);
}
.job {
  display: flex;
  flex-wrap: wrap;
  gap: 0 0.75rem;
  color: var(--quiet);
  font-size: 0.875rem;
  overflow-wrap: anywhere;
}
.job > * {
  min-width: 0;
}
.job > :not(:first-child)::before {
  margin-inline-end: 0.75rem;
  content: "·" / "";
}
.head:not([data-labelled]) .session-id {
  font-family: var(--mono);
  font-size: 0.9375em;
}
.labels {
  display: flex;
  flex-wrap: wrap;
  gap: 0.25rem;
  margin: 0.375rem 0 0;
  padding: 0;
  list-style: none;
}
.label {
  max-width: 100%;
  padding: 0.0625rem 0.5rem;
  border: 1px solid var(--line);
  border-radius: 1rem;
  color: var(--quiet);
  font-size: 0.75rem;
  overflow-wrap: anywhere;
}
.head-side {
  display: flex;
  flex-wrap: wrap;
  align-items: center;
  gap: 0.5rem;
  min-height: 2rem;
}
.connection {
  --tone: var(--quiet);
  display: flex;
  flex: none;
  align-items: center;
  gap: 0.5rem;
  padding: 0.1875rem 0.75rem 0.1875rem 0.625rem;
  border: 1px solid color-mix(in srgb, var(--tone) 32%, transparent);
  border-radius: 2rem;
  background: color-mix(in srgb, var(--tone) 7%, var(--card));
  color: var(--tone);
  font-size: 0.8125rem;
  font-weight: 600;
  white-space: nowrap;
}
.connection::before {
  width: 0.625rem;
  height: 0.625rem;
  border: 2px solid var(--tone);
  border-radius: 50%;
  content: "";
}
[data-connection=live] .connection {
  --tone: var(--good);
}
[data-connection=live] .connection::before {
  background: var(--tone);
  animation: breathe 2.4s ease-in-out infinite;
}
[data-connection=reconnecting] .connection {
  --tone: var(--warn);
}
:is([data-connection=reconnecting], [data-connection=connecting]) .connection::before {
  border-right-color: transparent;
  animation: turn 1s linear infinite;
}
[data-connection=polling] .connection {
  --tone: var(--accent);
}
:is([data-connection=offline], [data-connection=denied]) .connection {
  --tone: var(--bad);
}
:is([data-connection=offline], [data-connection=denied]) .connection::before {
  width: 0.75rem;
  height: 0.75rem;
  background:
    linear-gradient(
      45deg,
      transparent 42%,
      var(--tone) 42% 58%,
      transparent 58%);
}
[data-connection=finished] .connection::before {
  width: 0.375rem;
  height: 0.6875rem;
  margin: -0.1875rem 0.125rem 0;
  border-width: 0 2px 2px 0;
  border-radius: 0;
  transform: rotate(45deg);
}

/* styles/state.css */
.state {
  display: flex;
  flex-wrap: wrap;
  align-items: start;
  gap: 0.375rem 0.625rem;
}
.state-icon {
  flex: none;
  padding-top: calc((1.4em - 1.375rem) / 2);
  font-size: 1.125rem;
}
.state-icon > .drawing {
  width: 1.375rem;
  height: 1.375rem;
}
.status {
  display: flex;
  flex: 1 1 9rem;
  flex-wrap: wrap;
  align-items: baseline;
  gap: 0 0.625rem;
  min-width: 0;
}
@media screen {
  .headline {
    display: -webkit-box;
    overflow: hidden;
    -webkit-box-orient: vertical;
    -webkit-line-clamp: 3;
  }
}
.headline {
  min-width: 0;
  font-size: 1.125rem;
  font-weight: 650;
  line-height: 1.4;
  overflow-wrap: anywhere;
}
[data-status=completed] .headline {
  color: var(--good);
}
[data-status=error] .headline {
  color: var(--bad);
}
:is([data-status=error][data-conclusion=cancelled], [data-status=deleted]) .headline {
  color: var(--quiet);
}
.facts {
  min-width: 0;
  color: var(--quiet);
  font-size: 0.9375rem;
}
.facts > :not(:empty) {
  display: inline-block;
}
.facts > :not(:empty):has(~ :not(:empty))::after {
  content: " ·" / "";
}
.note {
  display: flex;
  gap: 0.5rem;
  margin-top: 0.625rem;
  color: var(--quiet);
  font-size: 0.875rem;
}
.note-icon > .drawing {
  display: block;
  margin-top: 0.1875rem;
}
[data-silent] .note {
  color: var(--warn);
  font-weight: 600;
}
.links {
  display: flex;
  flex-wrap: wrap;
  gap: 0.25rem 1rem;
  margin: 0.375rem 0 0;
  padding: 0;
  font-size: 0.875rem;
  list-style: none;
  overflow-wrap: anywhere;
}
.link {
  display: inline-block;
  color: var(--accent);
  line-height: 1.5rem;
}
.link > .drawing {
  width: 0.75rem;
  height: 0.75rem;
  margin-inline-start: 0.25rem;
  vertical-align: -0.0625rem;
}
:is([data-status=completed], [data-status=error]) .links {
  gap: 0.5rem;
  margin-top: 0.75rem;
}
:is([data-status=completed], [data-status=error]) .link {
  padding: 0.375rem 0.875rem;
  border: 1px solid var(--accent);
  border-radius: 0.5rem;
  font-weight: 600;
  text-decoration: none;
}
:is([data-status=completed], [data-status=error]) .link:hover {
  text-decoration: underline;
}
[data-status=completed] li:first-child > .link {
  border-color: var(--fill);
  background: var(--fill);
  color: #fff;
}

/* styles/bar.css */
.bar {
  position: relative;
  isolation: isolate;
  height: 1.625rem;
  margin-top: 0.875rem;
  overflow: hidden;
  border-radius: 1rem;
  background: var(--track);
  box-shadow: inset 0 0 0 1px var(--line);
}
.fill {
  position: relative;
  height: 100%;
  border-radius: inherit;
  background:
    linear-gradient(
      90deg,
      var(--fill),
      var(--fill-end));
  color: #fff;
  font-size: 0.8125rem;
  font-weight: 650;
  line-height: 1.625rem;
  --behind-percent: var(--fill-end);
}
[data-moving] .fill {
  transition: width 300ms ease-out;
}
[data-moving] .bar[data-timed] .fill {
  transition: width 1s linear;
}
.segment-end {
  position: absolute;
  inset-block: 0;
  width: 2px;
  margin-left: -1px;
  background: light-dark(var(--card), var(--line));
}
.percent {
  position: absolute;
  right: 0.5rem;
  z-index: 1;
  padding-inline: 0.25rem;
  background:
    linear-gradient(
      90deg,
      transparent,
      var(--behind-percent) 0.25rem calc(100% - 0.25rem),
      transparent);
}
[data-narrow] .percent {
  right: auto;
  left: calc(100% + 0.375rem);
  color: var(--text);
  --behind-percent: var(--track);
}
[data-status=running] .fill::after {
  position: absolute;
  inset: 0;
  border-radius: inherit;
  background:
    linear-gradient(
      90deg,
      transparent,
      rgb(255 255 255 / 24%),
      transparent) -80% 0 / 40% 100% no-repeat;
  animation: sheen 2.4s ease-in-out infinite;
  content: "";
}
.bar[data-endless] .fill {
  background: none;
}
.bar[data-endless] .fill::after {
  display: none;
}
[data-status=running] .bar[data-endless] .fill {
  --stripe: color-mix(in srgb, var(--accent) 30%, var(--track));
  --stride: 1.5rem;
  background:
    linear-gradient(
      -45deg,
      var(--stripe) 25%,
      transparent 25% 50%,
      var(--stripe) 50% 75%,
      transparent 75%) 0 0 / 1.5rem 1.5rem;
  animation: pass 1.8s linear infinite;
}
[data-status=completed] .fill {
  background: var(--good-fill);
  --behind-percent: var(--good-fill);
}
[data-status=error] .bar .fill {
  background:
    repeating-linear-gradient(
      -45deg,
      var(--bad-fill) 0 0.75rem,
      #a91524 0.75rem 1.5rem);
  --behind-percent: var(--bad-fill);
}
[data-status=error][data-conclusion=cancelled] .bar .fill {
  background:
    repeating-linear-gradient(
      -45deg,
      var(--off-fill) 0 0.75rem,
      #687182 0.75rem 1.5rem);
  --behind-percent: var(--off-fill);
}
:is([data-connection=reconnecting], [data-connection=offline], [data-silent]):not([data-status=completed]) .fill {
  filter: saturate(0.35);
}
:is([data-status=not_found], [data-status=connecting]) .percent {
  background: none;
}
:is([data-status=not_found], [data-status=connecting]) .bar {
  background:
    linear-gradient(
      90deg,
      transparent 30%,
      color-mix(in srgb, var(--accent) 22%, transparent) 50%,
      transparent 70%) var(--track);
  background-size: 300% 100%;
  animation: drift 3s linear infinite;
}
[data-connection=denied][data-status=connecting] :is(.bar, .facts) {
  display: none;
}

/* styles/request.css */
.request {
  display: flex;
  flex-wrap: wrap;
  align-items: center;
  gap: 0.375rem 0.75rem;
  max-width: 100%;
}
.request-text {
  color: var(--quiet);
  font-size: 0.8125rem;
  font-weight: 600;
  overflow-wrap: anywhere;
}
.request:is([data-look=asked], [data-look=seen]) .request-text {
  padding: 0.25rem 0.75rem;
  border: 1px dashed var(--accent);
  border-radius: 0.5rem;
  color: var(--accent);
}
.request[data-look=seen] .request-text {
  border: 1px solid var(--fill);
  background: var(--fill);
  color: #fff;
}
.request [data-unknown] {
  visibility: hidden;
}
.dialog {
  width: min(26rem, calc(100vw - 2rem));
  padding: 1.25rem;
  border: 1px solid var(--line);
  border-radius: var(--radius);
  background: var(--card);
  color: var(--text);
  box-shadow: var(--shadow);
}
.dialog::backdrop {
  background: rgb(0 0 0 / 45%);
}
.dialog-question {
  margin-bottom: 0.25rem;
  font-size: 1.125rem;
  font-weight: 650;
  overflow-wrap: anywhere;
}
.dialog .actions {
  flex-wrap: wrap;
  justify-content: flex-end;
  margin-top: 1.125rem;
}
.button.confirm {
  border-color: var(--bad-fill);
  background: var(--bad-fill);
  color: #fff;
}
.button.confirm:hover:enabled {
  border-color: #a91524;
  background: #a91524;
  color: #fff;
}

/* styles/failure.css */
.failure:not(:has(> .alert:empty)) {
  margin-top: 1.125rem;
  padding: 0.875rem 1rem;
  border: 1px solid color-mix(in srgb, var(--bad) 30%, transparent);
  border-inline-start: 4px solid var(--bad);
  border-radius: 0.625rem;
  background: var(--bad-ground);
}
[data-status=error][data-conclusion=cancelled] .failure:not(:has(> .alert:empty)) {
  border-color: var(--line);
  background: none;
}
.failed-step {
  font-weight: 650;
  overflow-wrap: anywhere;
}
.error-text {
  margin-top: 0.375rem;
  max-height: 16rem;
  overflow: auto;
  font: 0.8125rem / 1.6 var(--mono);
  overflow-wrap: anywhere;
  white-space: pre-wrap;
}
.other-failures,
.error-text + .failed-step {
  margin-top: 0.875rem;
}
.actions {
  display: flex;
  gap: 0.5rem;
  margin-top: 0.75rem;
}

/* styles/steps.css */
.steps-section {
  margin-top: 1rem;
}
.steps-section:has(> .steps:empty) {
  display: none;
}
.steps {
  --took: 5.5rem;
  --axis: clamp(6rem, 26cqi, 13rem);
  --gap: 0.75rem;
  margin: 0;
  padding: 0;
  list-style: none;
}
.steps > li {
  position: relative;
  display: flex;
  flex-wrap: wrap;
  gap: 0 0.625rem;
  padding-block: 0.25rem;
  scroll-margin-block: 4rem;
}
.steps > li:not(:last-child)::before {
  position: absolute;
  top: 1.75rem;
  bottom: -0.25rem;
  inset-inline-start: calc(0.625rem - 1px);
  width: 2px;
  border-radius: 1px;
  background: var(--line);
  content: "";
}
.steps > [data-status=success]:not(:last-child)::before {
  background: color-mix(in srgb, var(--good) 45%, var(--line));
}
.icon {
  flex: none;
  width: 1.25rem;
  height: 1.5rem;
}
.icon > .drawing {
  display: block;
  width: 1.25rem;
  height: 1.25rem;
  margin-top: 0.125rem;
}
.sign {
  position: absolute;
  width: 1px;
  height: 1px;
  overflow: hidden;
  clip-path: inset(50%);
}
[data-status=pending] > .icon {
  opacity: 0.7;
}
.about {
  flex: 1;
  min-width: 0;
}
.line {
  position: relative;
  display: flex;
  flex-wrap: wrap;
  align-items: baseline;
  gap: 0 0.75rem;
  min-height: 1.5rem;
  padding-inline-end: calc(var(--took) + var(--gap));
}
.name {
  display: grid;
  grid-template-columns: auto minmax(0, 1fr);
  align-items: baseline;
  gap: 0.5rem;
  min-width: 0;
  overflow-wrap: anywhere;
}
.name::before {
  counter-reset: number var(--number);
  color: var(--quiet);
  font-size: 0.875rem;
  font-weight: 400;
  content: counter(number) / "";
}
[data-long] > li .name::before {
  min-width: 2ch;
}
[data-status=pending] > .about .name,
[data-conclusion=skipped] > .about .name {
  color: var(--quiet);
}
[data-status=running] > .about .name {
  font-weight: 650;
}
[data-status=error] > .about .name {
  font-weight: 600;
}
:is(.elapsed, .outcome, .attempt, .limit) {
  flex: none;
  color: var(--quiet);
  font-size: 0.875rem;
}
:is(.outcome, .attempt, .limit):empty,
.elapsed:not(:has(.duration:not(:empty))) {
  display: none;
}
.elapsed {
  position: absolute;
  inset-block-start: 0;
  inset-inline-end: 0;
  inline-size: var(--took);
  line-height: 1.5rem;
  text-align: end;
  white-space: nowrap;
}
@container (width < 18rem) {
  .steps {
    --took: 0px;
    --gap: 0px;
  }
  .elapsed {
    position: static;
    inline-size: auto;
  }
}
.outcome {
  font-weight: 600;
}
[data-conclusion=lost] > .about .outcome {
  color: var(--bad);
}
.limit,
[data-over-limit] .elapsed,
[data-stalled] > .about .outcome {
  color: var(--warn);
  font-weight: 600;
}
.message {
  display: block;
  max-width: 44rem;
  color: var(--quiet);
  font-size: 0.875rem;
  overflow-wrap: anywhere;
  white-space: pre-line;
}
.message:empty {
  display: none;
}
.message[data-cut] {
  display: -webkit-box;
  overflow: hidden;
  -webkit-box-orient: vertical;
  -webkit-line-clamp: 3;
}
.more {
  padding: 0;
  border: 0;
  background: none;
  color: var(--accent);
}
.inside {
  display: flex;
  align-items: center;
  gap: 0.75rem;
  margin-top: 0.125rem;
  color: var(--quiet);
  font-size: 0.8125rem;
}
.gauge {
  --tone: var(--accent);
  flex: 1;
  height: 0.375rem;
  max-width: 22rem;
  overflow: hidden;
  border-radius: 1rem;
  background: var(--track);
  box-shadow: inset 0 0 0 1px var(--line);
}
.gauge-fill {
  display: block;
  height: 100%;
  border-radius: inherit;
  background: var(--tone);
}
[data-moving] .gauge-fill {
  transition: width 300ms ease-out;
}
[data-endless] .gauge-fill {
  background:
    linear-gradient(
      -45deg,
      var(--tone) 25%,
      transparent 25% 50%,
      var(--tone) 50% 75%,
      transparent 75%) 0 0 / 0.75rem 0.75rem;
  animation: pass 1.2s linear infinite;
}
:is([data-over-limit], [data-stalled]) > .about .gauge {
  --tone: var(--warn);
}
.count {
  white-space: nowrap;
}
.steps-head {
  position: sticky;
  top: 0;
  z-index: 2;
  display: flex;
  flex-wrap: wrap;
  gap: 0.5rem;
  justify-content: flex-end;
  margin-bottom: 0.25rem;
  padding-block: 0.375rem;
  background: var(--card);
}
.steps-head > .jump {
  border-color: var(--accent);
  color: var(--accent);
}
.steps-head > [data-target=failed] {
  border-color: var(--bad);
  color: var(--bad);
}
.steps-head > [data-target=cancelled] {
  border-color: var(--quiet);
  color: var(--quiet);
}
.fold {
  display: flex;
  flex: 1 0 calc(100% + 1rem);
  align-items: center;
  gap: 0.625rem;
  min-height: 2rem;
  margin: 0 -0.5rem 0.25rem;
  padding: 0.25rem calc(0.5rem - 1px);
  border-color: transparent;
  background: color-mix(in srgb, var(--track) 55%, var(--card));
  color: var(--quiet);
  text-align: start;
}
.fold-icon > .drawing {
  display: block;
  width: 1.25rem;
  height: 1.25rem;
}
.fold > .drawing-chevron {
  width: 0.875rem;
  height: 0.875rem;
}
.fold[aria-expanded=true] > .drawing-chevron {
  transform: rotate(90deg);
}
.fold-took {
  flex: none;
  inline-size: var(--took);
  margin-inline-start: auto;
  font-weight: 400;
  text-align: end;
}
[data-folded] > :not(.fold) {
  display: none !important;
}
.steps > [data-folded] > .fold {
  margin-bottom: 0;
}
.steps > li:has(> .fold:not([hidden]))::before {
  display: none;
}
@media print {
  .steps > li[hidden] {
    display: flex !important;
  }
  [data-folded] > :not(.fold) {
    display: block !important;
  }
  .steps-head,
  .more,
  .steps > li > .fold {
    display: none !important;
  }
  .message[data-cut] {
    display: block;
  }
}

/* styles/parts.css */
.parts {
  margin-top: 0.25rem;
  color: var(--quiet);
  font-size: 0.8125rem;
}
.cells {
  display: flex;
  flex-wrap: wrap;
  gap: 3px;
  margin: 0.25rem 0 0;
  padding: 0;
  list-style: none;
}
.cells > li {
  --tone: color-mix(in srgb, var(--quiet) 65%, var(--card));
  position: relative;
  width: 0.75rem;
  height: 0.75rem;
  border: 1px solid var(--tone);
  border-radius: 2px;
}
.cells > li:focus-visible {
  outline: 2px solid var(--accent);
  outline-offset: 2px;
}
.cells[data-many] > li {
  width: 0.5625rem;
  height: 0.5625rem;
}
.cells > [data-status=success] {
  --tone: var(--good);
  background: var(--tone);
}
.cells > [data-status=running] {
  --tone: var(--accent);
  background:
    linear-gradient(
      to top right,
      var(--tone) 50%,
      transparent 50%);
}
.cells > [data-status=error] {
  --tone: var(--bad);
  border-width: 2px;
  background:
    linear-gradient(
      45deg,
      transparent 42%,
      var(--tone) 42% 58%,
      transparent 58%),
    linear-gradient(
      -45deg,
      transparent 42%,
      var(--tone) 42% 58%,
      transparent 58%);
}
.part-readout {
  margin-top: 0.25rem;
  min-height: 1.5em;
  overflow: hidden;
  text-overflow: ellipsis;
  white-space: nowrap;
}
.parts-details > summary {
  font-weight: 600;
}
.parts-list {
  max-height: 15rem;
  margin: 0.25rem 0 0.5rem;
  padding: 0;
  overflow: auto;
  list-style: none;
  overflow-wrap: anywhere;
}
.parts-list > [data-status=error] {
  color: var(--bad);
  font-weight: 600;
}

/* styles/log.css */
.log {
  --ansi-black: var(--quiet);
  --ansi-red: var(--bad);
  --ansi-green: var(--good);
  --ansi-yellow: var(--warn);
  --ansi-blue: light-dark(#1d56c9, #7fb0ff);
  --ansi-magenta: light-dark(#9226a8, #e29bf0);
  --ansi-cyan: light-dark(#0f6675, #5ad4e6);
  --ansi-white: var(--text);
  margin-top: 0.375rem;
  font-size: 0.8125rem;
}
.card > .log {
  margin-top: 1rem;
}
.steps-details:not([open]) ~ .log {
  display: none;
}
.log-summary {
  width: max-content;
  max-width: 100%;
  color: var(--quiet);
  font-weight: 600;
  line-height: 1.5rem;
}
.log-body {
  position: relative;
  padding-top: 0.375rem;
}
.log-expand {
  position: absolute;
  inset-inline-end: 0;
  bottom: 100%;
  padding-block: 0;
}
.log-window {
  width: 100%;
  max-width: none;
  height: 100%;
  max-height: none;
  padding: 0.75rem clamp(0.75rem, 3vw, 1.5rem);
  border: 0;
  background: var(--card);
  color: var(--text);
}
.log-window[open] {
  display: flex;
  flex-direction: column;
}
.log-title {
  padding-inline-end: 5rem;
  font-size: 1rem;
  font-weight: 650;
  overflow-wrap: anywhere;
}
.log-window > .log-body {
  display: flex;
  flex: 1;
  flex-direction: column;
  min-height: 0;
  > .log-rows {
    flex: 1;
    max-height: none;
  }
}
.log-count {
  font-weight: 400;
}
.log-tools {
  display: flex;
  flex-wrap: wrap;
  gap: 0.375rem 0.5rem;
  align-items: center;
}
.log-search {
  flex: 1 1 5rem;
  min-width: 0;
  max-width: 16rem;
  padding: 0.25rem 0.5rem;
  border: 1px solid color-mix(in srgb, var(--quiet) 60%, var(--card));
  border-radius: 0.5rem;
  background: var(--card);
  color: var(--text);
  font: inherit;
}
.log-search::placeholder {
  color: var(--quiet);
  opacity: 1;
}
.log-search:focus-visible {
  outline: 2px solid var(--accent);
  outline-offset: 1px;
}
.log-found,
.log-empty {
  color: var(--quiet);
}
.log-found:empty {
  position: absolute;
}
.log-empty {
  margin-top: 0.375rem;
}
.log-rows {
  max-height: 20rem;
  margin-top: 0.375rem;
  padding: 0.5rem 0;
  overflow: auto;
  overscroll-behavior: contain;
  border: 1px solid var(--line);
  border-radius: 0.5rem;
  background: var(--code);
  font: 0.75rem / 1.55 var(--mono);
  scrollbar-width: thin;
}
.log-rows:focus-visible {
  outline: 2px solid var(--accent);
  outline-offset: 1px;
}
.log-line,
.log-gap {
  padding: 0 0.75rem;
  contain: content;
  overflow-wrap: anywhere;
  white-space: pre-wrap;
}
.log-gap {
  color: var(--quiet);
  font-style: italic;
}
.log-line:hover {
  background: color-mix(in srgb, var(--quiet) 10%, transparent);
}
.log-line[data-level=warning] {
  box-shadow: inset 3px 0 var(--warn);
}
.log-line[data-level=error] {
  background: color-mix(in srgb, var(--bad) 9%, transparent);
  box-shadow: inset 3px 0 var(--bad);
}
.log-line[aria-current] {
  outline: 1px solid var(--bad);
  outline-offset: -1px;
  box-shadow: inset 6px 0 var(--bad);
}
.log-time {
  color: var(--quiet);
  user-select: none;
}
.log-level {
  color: var(--quiet);
  font-weight: 650;
}
[data-level=warning] > .log-level {
  color: var(--warn);
}
[data-level=error] > .log-level {
  color: var(--bad);
}
[data-level=debug] > .log-text {
  color: var(--quiet);
}
.log-text {
  unicode-bidi: isolate;
}
.log-text mark {
  border-radius: 2px;
  background: light-dark(#ffe08a, #6b5200);
  color: light-dark(#18202c, #ffffff);
}
.log-end {
  position: absolute;
  right: 1rem;
  bottom: 0.75rem;
  box-shadow: var(--shadow);
}
.ansi-black {
  color: var(--ansi-black);
}
.ansi-red {
  color: var(--ansi-red);
}
.ansi-green {
  color: var(--ansi-green);
}
.ansi-yellow {
  color: var(--ansi-yellow);
}
.ansi-blue {
  color: var(--ansi-blue);
}
.ansi-magenta {
  color: var(--ansi-magenta);
}
.ansi-cyan {
  color: var(--ansi-cyan);
}
.ansi-white {
  color: var(--ansi-white);
}
.ansi-bold {
  font-weight: 700;
}
.ansi-dim {
  color: var(--quiet);
}
.ansi-italic {
  font-style: italic;
}
.ansi-underline {
  text-decoration: underline;
}
@media print {
  .log-tools,
  .log-end,
  .log:has(.log-rows[hidden]) {
    display: none !important;
  }
  .log-rows {
    max-height: none;
    overflow: visible;
  }
  .log-line {
    break-inside: avoid;
  }
}

/* styles/timeline.css */
.timeline {
  --tone: color-mix(in srgb, var(--good) 80%, var(--card));
  position: relative;
  flex: none;
  inline-size: calc(100% + var(--gap) + var(--took));
  block-size: 1.25rem;
  border-radius: 0.25rem;
  background: linear-gradient(var(--track), var(--track)) center / 100% 0.125rem no-repeat;
}
.timeline > span {
  position: absolute;
  inset-block: 0;
  block-size: 0.5rem;
  margin-block: auto;
}
.timeline > .timeline-ran {
  inset-inline-start: min(100% * var(--start), 100% - 0.375rem);
  inline-size: max(100% * var(--length), 0.375rem);
  border: 2px solid var(--tone);
  border-radius: 0.25rem;
  background: var(--tone);
}
.timeline > .timeline-expected {
  inset-inline-start: calc(100% * var(--start));
  inline-size: calc(100% * var(--expected));
  block-size: 0.875rem;
  border: 1px solid color-mix(in srgb, var(--quiet) 55%, var(--card));
  border-radius: 0.25rem;
}
.timeline > .timeline-former {
  inset-inline-end: calc(100% - min(100% * var(--start), 100% - 0.375rem) + 2px);
  display: flex;
  gap: 2px;
  block-size: 0.75rem;
}
.timeline-former > span {
  border-inline-start: 2px solid color-mix(in srgb, var(--quiet) 80%, var(--card));
}
[data-moving] .timeline > span {
  transition:
    inset-inline-start 300ms ease-out,
    inset-inline-end 300ms ease-out,
    inline-size 300ms ease-out;
}
.steps > [data-status=running] .timeline {
  --tone: var(--accent);
}
.steps > [data-status=running] .timeline-ran {
  background: color-mix(in srgb, var(--tone) 35%, var(--card));
}
.steps > :is([data-over-limit], [data-stalled]) .timeline {
  --tone: var(--warn);
}
.steps > [data-status=error] .timeline {
  --tone: var(--bad);
}
.steps > :is([data-conclusion=skipped], [data-conclusion=cancelled]) > .about .timeline {
  --tone: var(--quiet);
}
.steps > :is([data-status=error], [data-stalled]) .timeline-ran {
  background: var(--card);
}
.steps > [data-stalled] .timeline-ran {
  border-style: dashed;
}
.steps:not([data-calm]) > li > .about > .line > :is(.timeline:hover, .elapsed:hover ~ .timeline, li:focus .timeline)::after {
  position: absolute;
  inset-block-end: calc(100% + 0.125rem);
  inset-inline-end: 0;
  z-index: 3;
  inline-size: max-content;
  max-inline-size: min(24rem, 100cqi - 5rem);
  padding: 0.25rem 0.5rem;
  border-radius: 0.375rem;
  background: var(--text);
  color: var(--card);
  font-size: 0.8125rem;
  line-height: 1.4;
  content: attr(aria-label) / "";
}
.fold > .timeline {
  display: none;
}
@container (width >= 30rem) {
  .line:has(> .timeline) {
    padding-inline-end: calc(var(--axis) + var(--took) + 2.5 * var(--gap));
  }
  .line > .timeline {
    position: absolute;
    inset-block-start: 0;
    inset-inline-end: calc(var(--took) + var(--gap));
    inline-size: var(--axis);
    block-size: 1.5rem;
  }
  .fold > .timeline {
    display: block;
    inline-size: var(--axis);
    margin-inline: auto 0.125rem;
  }
  .timeline + .fold-took {
    margin-inline-start: 0;
  }
}

/* styles/compact.css */
.sessions:has(> [data-compact]) {
  gap: 0.75rem;
}
.session[data-compact],
:host .session[data-compact] {
  padding: 0.75rem 1rem;
  border: 1px solid var(--line);
  border-radius: var(--radius);
  background: var(--card);
  box-shadow: none;
}
[data-compact] > .head {
  margin: 0 0 0.375rem;
}
[data-compact] .head-side {
  min-height: 0;
}
[data-compact] .title {
  font-size: 1rem;
}
[data-compact] > .card {
  padding: 0;
  border: 0;
  box-shadow: none;
}
[data-compact] .headline {
  font-size: 1rem;
}
[data-compact] .state > .state-icon {
  padding-top: 0.0625rem;
  font-size: 1rem;
}
[data-compact] .state > .state-icon > .drawing {
  width: 1.25rem;
  height: 1.25rem;
}
[data-compact] .facts {
  font-size: 0.875rem;
}
[data-compact] .bar {
  height: 1.25rem;
  margin-top: 0.375rem;
}
[data-compact] .fill {
  font-size: 0.75rem;
  line-height: 1.25rem;
}
[data-compact] .links {
  margin-top: 0.25rem;
}
[data-compact] .link {
  padding: 0.125rem 0.625rem;
}
[data-compact]:not([data-status=completed], [data-status=error]) .link {
  padding: 0;
}
[data-compact] .failure:not(:has(> .alert:empty)) {
  margin-top: 0.625rem;
  padding: 0.5rem 0.75rem;
}
[data-compact] .error-text {
  max-height: 5rem;
}
[data-compact] .steps-section {
  margin-top: 0.5rem;
}
.steps-details {
  margin-top: 0.5rem;
}
.steps-details > summary {
  width: max-content;
  color: var(--quiet);
  font-size: 0.8125rem;
  line-height: 1.5rem;
}
.steps-details:has(.steps:empty) {
  display: none;
}

/* styles/motion.css */
@keyframes breathe {
  50% {
    box-shadow: 0 0 0 4px color-mix(in srgb, var(--tone) 25%, transparent);
  }
}
@keyframes turn {
  to {
    transform: rotate(1turn);
  }
}
@keyframes sheen {
  to {
    background-position: 180% 0;
  }
}
@keyframes drift {
  from {
    background-position: 100% 0;
  }
  to {
    background-position: -50% 0;
  }
}
@keyframes pass {
  to {
    background-position: var(--stride, 0.75rem) 0;
  }
}
@media (prefers-reduced-motion: reduce) {
  *,
  ::before,
  ::after {
    transition: none !important;
    animation: none !important;
  }
}
:is([data-connection=reconnecting], [data-connection=offline], [data-connection=denied], [data-silent], [data-idle]) .card {
  *,
  .fill::after {
    animation: none !important;
  }
}

/* styles/forced-colors.css */
@media (forced-colors: active) {
  .bar,
  .gauge {
    border: 1px solid CanvasText;
  }
  .fill,
  .gauge-fill,
  .connection::before {
    forced-color-adjust: none;
  }
  .fill {
    background: Highlight !important;
    color: HighlightText;
    filter: none !important;
    --behind-percent: Highlight !important;
  }
  .bar[data-endless] .fill {
    background: none !important;
  }
  [data-status=running] .bar[data-endless] .fill {
    background:
      repeating-linear-gradient(
        45deg,
        Highlight 0 0.375rem,
        Canvas 0.375rem 1.5rem) !important;
  }
  [data-status=error] .bar .fill {
    background:
      repeating-linear-gradient(
        -45deg,
        Highlight 0 0.75rem,
        Canvas 0.75rem 1.5rem) !important;
  }
  [data-status=error] .percent {
    padding-inline: 0.375rem;
    background: Highlight;
  }
  [data-narrow] .percent {
    background: none;
    color: CanvasText;
  }
  .gauge {
    --tone: Highlight !important;
  }
  .request[data-look=seen] .request-text {
    border-width: 3px;
  }
  .cells > li {
    --tone: CanvasText !important;
    forced-color-adjust: none;
  }
  .segment-end {
    background: CanvasText;
    forced-color-adjust: none;
  }
  .connection,
  .timeline {
    --tone: CanvasText !important;
  }
  .timeline {
    --card: Canvas;
    --quiet: CanvasText;
    --text: CanvasText;
    --track: transparent;
    forced-color-adjust: none;
  }
  .steps > li::before {
    background: CanvasText !important;
  }
  .icon-inverse {
    stroke: Canvas;
  }
  .log-line[aria-current] {
    outline-width: 2px;
  }
}

/* styles/index.css */
`;
