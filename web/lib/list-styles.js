/* Written by build.js from list.css. */
export const LIST_CSS = `/* Lists of sessions, in the home page and in <progress-list>. A row is a grid, so that rows out of sight cost no layout. */

.list {
  --row: 2.75rem;
  container: list / inline-size;
  color: var(--text);
  font-size: 0.875rem;
  line-height: 1.25rem;
  font-variant-numeric: tabular-nums;
  text-align: start;
  overflow-wrap: anywhere;
}

:host .connection {
  width: max-content;
  margin: 0 0 0.5rem auto;
}

.list-table,
.list-table > :is(thead, tbody) {
  display: block;
}

.list-table {
  overflow: clip;
  border: 1px solid var(--line);
  border-radius: 0.75rem;
  background: var(--card);
}

.list-row,
.list-head {
  display: grid;
  grid-template-columns: 6.25rem minmax(0, 3fr) minmax(10rem, 1fr) 6.5rem 11rem;
  gap: 0 1rem;
  align-items: center;
  padding: 0 1rem;
}

.list-head {
  border-bottom: 1px solid var(--line);
  background: var(--code);
  line-height: 2.25rem;
}

.list-table :is(th, td) {
  padding: 0;
  text-align: start;
}

.list-head th {
  color: var(--quiet);
  font-size: 0.75rem;
  font-weight: 600;
}

.list-row {
  --tone: var(--quiet);
  position: relative;
  min-height: var(--row);
  content-visibility: auto;
  contain-intrinsic-height: auto var(--row);
}

.list-row + .list-row {
  border-top: 1px solid var(--line);
}

.list-row:hover {
  background: color-mix(in srgb, var(--accent) 5%, var(--card));
}

.list-row[data-look="running"] {
  --tone: var(--accent);
}

.list-row[data-look="completed"] {
  --tone: var(--good);
}

.list-row[data-look="stalled"] {
  --tone: var(--warn);
}

.list-row:is([data-look="failed"], [data-look="lost"]) {
  --tone: var(--bad);
}

/* What needs attention has an edge of its colour. */

.list-row:is([data-look="failed"], [data-look="lost"], [data-look="stalled"]) {
  box-shadow: inset 3px 0 var(--tone);
}

/* The state: its sign and its word. */

.list-state {
  display: flex;
  align-items: center;
  gap: 0.5rem;
  color: var(--tone);
  font-size: 0.8125rem;
  font-weight: 600;
  white-space: nowrap;
}

.list-state > .drawing {
  width: 1.125rem;
  height: 1.125rem;
}

/* The name, which links the whole row to its page; its labels and links; and below what went wrong. */

.list-name {
  min-width: 0;
  font-weight: 400;
}

.list-title {
  display: flex;
  align-items: center;
  gap: 0 0.625rem;
  min-height: 1.5rem;
}

.list-link,
.list-id,
.list-error {
  overflow: hidden;
  min-width: 0;
  text-overflow: ellipsis;
  white-space: nowrap;
}

.list-link {
  color: var(--text);
  font-weight: 600;
  text-decoration: none;
}

.list-link::after {
  position: absolute;
  inset: 0;
  content: "";
}

.list-row:hover .list-link {
  color: var(--accent);
  text-decoration: underline;
}

.list-row .list-link:focus-visible {
  outline: none;
}

.list-link:focus-visible::after {
  outline: 2px solid var(--accent);
  outline-offset: -3px;
  border-radius: 0.5rem;
}

.list-id,
.list-error {
  font: 0.75rem / 1rem var(--mono);
}

.list-id {
  flex-shrink: 9;
  min-width: 4rem;
  color: var(--quiet);
}

.list-error {
  margin-top: -0.0625rem;
  color: var(--tone);
}

.list-chips {
  display: flex;
  flex: none;
  align-items: center;
  gap: 0.25rem 0.375rem;
  max-width: 50%;
  margin-inline-start: auto;
  font-size: 0.75rem;
}

.chip,
.list-result {
  position: relative;
  z-index: 1;
  overflow: hidden;
  max-width: 16rem;
  text-overflow: ellipsis;
  white-space: nowrap;
}

.chip {
  display: inline-flex;
  align-items: center;
  gap: 0.375rem;
  min-width: 2.5rem;
  min-height: 1.5rem;
  padding: 0 0.5rem;
  border: 1px solid var(--line);
  border-radius: 1rem;
  background: var(--code);
  color: var(--quiet);
  font: inherit;
  cursor: pointer;
}

.chip bdi {
  overflow: hidden;
  text-overflow: ellipsis;
}

.chip:hover,
.chip.chosen {
  border-color: var(--accent);
  color: var(--accent);
}

.list-more-labels {
  flex: none;
  justify-content: center;
}

.list-result {
  color: var(--accent);
  line-height: 1.5rem;
}

/* A row that was opened, or has the focus of a keyboard, shows all that it has. */

.list-row:not([data-open]) .chip:nth-of-type(n + 3):not(.list-more-labels),
.list-row[data-open] .list-more-labels,
.list-more-labels:has(.wide:empty),
.list-id:empty,
.narrow {
  display: none;
}

.list-row:is([data-open], :has(.list-link:focus-visible)) {
  .list-name {
    padding-block: 0.5rem;
  }

  .list-title,
  .list-chips {
    flex-wrap: wrap;
  }

  .list-chips {
    max-width: 100%;
    margin-inline-start: 0;
  }

  .list-link,
  .list-id {
    min-width: auto;
    white-space: normal;
  }

  .list-error {
    max-height: 8rem;
    white-space: pre-line;
  }
}

/* How far it is. */

.list-bar {
  --fill-tone: var(--fill);
  height: 0.375rem;
  overflow: hidden;
  border-radius: 1rem;
  background: var(--track);
  box-shadow: inset 0 0 0 1px var(--line);
}

.list-fill {
  height: 100%;
  border-radius: inherit;
  background: var(--fill-tone);
}

[data-look="completed"] .list-bar {
  --fill-tone: var(--good-fill);
}

[data-look="stalled"] .list-bar {
  --fill-tone: var(--warn);
}

:is([data-look="failed"], [data-look="lost"]) .list-bar {
  --fill-tone: var(--bad-fill);
}

:is([data-look="cancelled"], [data-look="pending"], [data-look="idle"]) .list-bar {
  --fill-tone: var(--off-fill);
}

/* Without a number the whole bar is faint; while it runs, a part passes by. */

[data-unmeasured] > .list-fill {
  width: 100%;
  opacity: 0.25;
}

[data-look="pending"] [data-unmeasured] > .list-fill {
  visibility: hidden;
}

@media (prefers-reduced-motion: no-preference) {
  [data-look="running"] [data-unmeasured] > .list-fill {
    width: 30%;
    opacity: 0.8;
    animation: list-pass 1.8s ease-in-out infinite alternate;
  }
}

@keyframes list-pass {
  to {
    transform: translateX(233%);
  }
}

.list-facts {
  display: flex;
  gap: 0.5rem;
  justify-content: space-between;
  margin-top: 0.125rem;
  color: var(--quiet);
  font-size: 0.75rem;
  line-height: 1rem;
  white-space: nowrap;
}

.list-when,
.list-duration {
  color: var(--quiet);
  font-size: 0.8125rem;
  line-height: 1.0625rem;
}

[data-look="stalled"] > .list-duration {
  color: var(--tone);
}

/* What the visitor has chosen, and what is beyond the list. */

.list-filters {
  display: flex;
  flex-wrap: wrap;
  gap: 0.375rem;
  margin: 0 0 0.75rem;
  padding: 0;
  list-style: none;
  font-size: 0.8125rem;
}

.list-empty {
  padding: 2rem 1rem;
  border: 1px dashed var(--line);
  border-radius: 0.75rem;
  color: var(--quiet);
  text-align: center;
}

.list-empty .button {
  margin-top: 0.75rem;
}

.list-foot {
  display: flex;
  flex-wrap: wrap;
  align-items: center;
  gap: 0.25rem 0.75rem;
  margin-top: 0.75rem;
  color: var(--quiet);
  font-size: 0.8125rem;
}

:is(.chip, .list-result):focus-visible {
  outline: 2px solid var(--accent);
  outline-offset: 1px;
}

/* Without a connection nothing is known to move. */

:is([data-connection="reconnecting"], [data-connection="offline"], [data-connection="denied"]) {
  .list-bar {
    filter: saturate(0.35);
  }

  .list-state > .drawing {
    animation: none;
  }

  [data-unmeasured] > .list-fill {
    width: 100%;
    opacity: 0.25;
    animation: none;
  }
}

/* Where there is less room, a row has its title, one label and one link. */

@container list (max-width: 72rem) {
  .list-row:not([data-open]) {
    .chip:nth-of-type(2):not(.list-more-labels),
    .list-result ~ .list-result,
    .list-id,
    .wide {
      display: none;
    }

    .list-more-labels {
      display: inline-flex;
    }
  }

  .narrow {
    display: inline;
  }
}

/* On a phone, and in a narrow column, a row has two lines; what went wrong stands where the bar would be. */

@container list (max-width: 54rem) {
  .list-head {
    position: absolute;
    width: 1px;
    height: 1px;
    padding: 0;
    overflow: hidden;
    clip-path: inset(50%);
  }

  .list-row {
    --row: 4.25rem;
    grid-template-columns: auto minmax(0, 1fr) auto;
    grid-template-rows: auto auto;
    gap: 0.25rem 0.75rem;
    align-content: center;
    padding: 0.5rem 0.75rem;
  }

  .list-name {
    grid-area: 1 / 1 / 3 / -1;
    display: grid;
    grid-template: subgrid / subgrid;
  }

  .list-title {
    grid-area: 1 / 1 / 2 / -1;
  }

  .list-error {
    grid-area: 2 / 2;
    align-self: center;
    margin: 0;
  }

  .list-state {
    grid-area: 2 / 1;
  }

  .list-progress {
    display: flex;
    grid-area: 2 / 2;
    gap: 0.5rem;
    align-items: center;
  }

  .list-bar {
    flex: 1;
  }

  .list-facts {
    margin: 0;
  }

  .list-row:has(.list-error:not([hidden])) > .list-progress,
  .list-row:has(.list-time:not(:empty)) > .list-when,
  .list-step {
    position: absolute;
    width: 1px;
    height: 1px;
    overflow: hidden;
    clip-path: inset(50%);
  }

  .list-when,
  .list-duration {
    grid-area: 2 / 3;
    justify-self: end;
  }
}

@container list (max-width: 30rem) {
  .list-row[data-look="stalled"] > .list-progress {
    display: none;
  }
}

@media (forced-colors: active) {
  .list-bar {
    border: 1px solid CanvasText;
  }

  .list-fill {
    background: Highlight;
    forced-color-adjust: none;
  }

  :is([data-look="failed"], [data-look="lost"]) .list-fill {
    background: repeating-linear-gradient(-45deg, Highlight 0 0.375rem, Canvas 0.375rem 0.75rem);
  }
}
`;
