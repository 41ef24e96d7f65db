/* Written by build.js from list.css. */
export const LIST_CSS = `/* Lists of sessions, in the home page and in <progress-list>. A row is a grid, so that rows out of sight cost no layout. */

.list {
  --row: 3.5rem;
  container: list / inline-size;
  color: var(--text);
  font-size: 0.9375rem;
  line-height: 1.4;
  font-variant-numeric: tabular-nums;
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
  grid-template-columns: 6.75rem minmax(10rem, 1fr) minmax(8rem, 14rem) 6.5rem 9.5rem;
  gap: 0 1rem;
  align-items: center;
  padding: 0.5rem 1rem;
}

.list-head {
  border-bottom: 1px solid var(--line);
  background: var(--code);
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

/* The state: its sign and its word. */

.list-state {
  --tone: var(--quiet);
  display: flex;
  align-items: center;
  gap: 0.5rem;
  color: var(--tone);
  font-size: 0.8125rem;
  font-weight: 600;
}

/* Many would turn at once. */

.list-state > .drawing {
  width: 1.125rem;
  height: 1.125rem;
  animation: none;
}

[data-look="running"] > .list-state {
  --tone: var(--accent);
}

[data-look="completed"] > .list-state {
  --tone: var(--good);
}

:is([data-look="error"], [data-look="lost"]) > .list-state {
  --tone: var(--bad);
}

/* The name, which links the whole row to its page. */

.list-name {
  min-width: 0;
  font-weight: 400;
}

.list-title {
  display: flex;
  flex-wrap: wrap;
  align-items: baseline;
  gap: 0 0.625rem;
  min-width: 0;
}

.list-link {
  overflow: hidden;
  max-width: 100%;
  color: var(--text);
  font-weight: 600;
  text-decoration: none;
  text-overflow: ellipsis;
  white-space: nowrap;
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

.list-link:focus-visible {
  outline: none;
}

.list-link:focus-visible::after {
  outline: 2px solid var(--accent);
  outline-offset: -3px;
  border-radius: 0.5rem;
}

.list-id,
.list-error {
  overflow: hidden;
  min-width: 0;
  max-width: 100%;
  font: 0.75rem / 1.5 var(--mono);
  text-overflow: ellipsis;
  white-space: nowrap;
}

.list-id {
  color: var(--quiet);
}

.list-error {
  color: var(--bad);
}

.list-row[data-look="cancelled"] .list-error {
  color: var(--quiet);
}

.list-chips {
  display: flex;
  flex-wrap: wrap;
  align-items: center;
  gap: 0.25rem 0.375rem;
  margin-top: 0.1875rem;
  font-size: 0.75rem;
}

.chip,
.list-result {
  position: relative;
  z-index: 1;
}

.chip {
  display: inline-flex;
  align-items: center;
  gap: 0.375rem;
  overflow: hidden;
  max-width: 16rem;
  min-height: 1.5rem;
  padding: 0 0.5rem;
  border: 1px solid var(--line);
  border-radius: 1rem;
  background: var(--code);
  color: var(--quiet);
  font: inherit;
  text-overflow: ellipsis;
  white-space: nowrap;
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

.list-result {
  color: var(--accent);
  line-height: 1.5rem;
}

.list-more-labels {
  color: var(--quiet);
}

/* How far it is. */

.list-bar {
  --fill-tone: var(--fill);
  height: 0.5rem;
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

:is([data-look="error"], [data-look="lost"]) .list-bar {
  --fill-tone: var(--bad-fill);
}

:is([data-look="cancelled"], [data-look="pending"]) .list-bar {
  --fill-tone: var(--off-fill);
}

.list-facts {
  display: flex;
  justify-content: space-between;
  gap: 0.5rem;
  margin-top: 0.125rem;
  color: var(--quiet);
  font-size: 0.75rem;
}

.list-when,
.list-duration {
  color: var(--quiet);
  font-size: 0.8125rem;
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

:is([data-connection="reconnecting"], [data-connection="offline"], [data-connection="denied"]) .list-bar {
  filter: saturate(0.35);
}

/* On a phone, and in a narrow column, a row has three lines. */

@container list (max-width: 46rem) {
  .list-head {
    position: absolute;
    width: 1px;
    height: 1px;
    padding: 0;
    overflow: hidden;
    clip-path: inset(50%);
  }

  .list-row {
    --row: 7rem;
    grid-template-columns: auto auto minmax(0, 1fr);
    grid-template-areas: "name name name" "state started time" "progress progress progress";
    gap: 0.375rem 0.75rem;
    min-height: 0;
    padding-block: 0.625rem;
  }

  .list-name {
    grid-area: name;
  }

  .list-state {
    grid-area: state;
  }

  .list-progress {
    grid-area: progress;
  }

  .list-when {
    grid-area: started;
  }

  .list-duration {
    grid-area: time;
    text-align: end;
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

  :is([data-look="error"], [data-look="lost"]) .list-fill {
    background: repeating-linear-gradient(-45deg, Highlight 0 0.375rem, Canvas 0.375rem 0.75rem);
  }
}
`;
