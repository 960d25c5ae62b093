// The usage page: totals, a chart of the days and a table, all from one GET /usage with the key's rights.

import { SERIES, drawChart, named, swatch } from "./chart.js";
import { $, element, load, money, onKey } from "./gateway.js";

const whole = (value) => value.toLocaleString("en-US");
const short = (value) => value.toLocaleString("en-US", { notation: "compact", maximumFractionDigits: 1 });
const percent = (part, of) => (of ? `${((100 * part) / of).toFixed(part && part !== of ? 1 : 0)} %` : "–");
const tokens = (row) => row.prompt_tokens + row.completion_tokens;

const MEASURES = {
  Cost: { of: (row) => row.cost_usd, text: money },
  Saved: { of: (row) => row.saved_usd, text: money },
  Requests: { of: (row) => row.requests, text: whole },
  Tokens: { of: tokens, text: whole, axis: short },
  "Cache hits": { of: (row) => row.hits, text: whole },
  Errors: { of: (row) => row.errors, text: whole },
};
const COLUMNS = {
  Cost: (row) => money(row.cost_usd),
  Requests: (row) => whole(row.requests),
  "Cache hits": (row) => percent(row.hits, row.requests),
  "Tokens in": (row) => short(row.prompt_tokens),
  "Tokens out": (row) => short(row.completion_tokens),
  Saved: (row) => money(row.saved_usd),
  Errors: (row) => whole(row.errors),
};
let report = null;
let filters = {};

// --- the data

async function refresh() {
  const by = $("by").value;
  const query = new URLSearchParams({ days: $("days").value, group: `day,${by}`, ...filters });
  try {
    const loaded = await load(`usage?${query}`);
    if (!loaded) return;
    report = { ...loaded, by };
    $("problem").hidden = true;
    draw();
  } catch (error) {
    $("problem").textContent = error.message;
    $("problem").hidden = false;
  }
}

// Sums of the rows by `by`, the greatest first.
function sums() {
  const found = new Map();
  for (const row of report.data) {
    const sum = found.get(row[report.by]) ?? { name: row[report.by] };
    for (const [name, value] of Object.entries(row)) if (typeof value === "number") sum[name] = (sum[name] ?? 0) + value;
    found.set(sum.name, sum);
  }
  const { of } = MEASURES[$("show").value];
  return [...found.values()].sort((a, b) => of(b) - of(a) || b.requests - a.requests);
}

// --- what is shown

function draw() {
  if (!report) return;
  const rows = sums();
  $("scope").textContent = report.scope === "operator" && !report.client ? "all clients" : (report.client ?? "");
  $("by").querySelector('[value="client"]').hidden = report.scope !== "operator";
  drawFilters();
  drawTotals(report.total);
  $("empty").hidden = rows.length > 0;
  $("report").hidden = !rows.length;
  if (!rows.length) return;
  const names = rows.slice(0, rows.length > SERIES + 1 ? SERIES : SERIES + 1).map((row) => row.name);
  $("caption").textContent = `${$("show").value} a day by ${report.by}`;
  drawChart(report, report.by, names, MEASURES[$("show").value]);
  drawTable(rows, names);
}

function drawFilters() {
  const items = Object.entries(filters).map(([name, value]) => {
    const remove = element("button", { type: "button", title: "Remove this filter" }, `${name}: ${value} ✕`);
    remove.addEventListener("click", () => {
      delete filters[name];
      refresh();
    });
    return element("li", {}, remove);
  });
  $("filters").replaceChildren(...items);
}

function drawTotals(total) {
  const tiles = [
    ["Cost", money(total.cost_usd), `${money(report.days.length ? total.cost_usd / report.days.length : 0)} a day`],
    ["Saved by the cache", money(total.saved_usd), `${percent(total.hits, total.requests)} of requests`],
    ["Requests", whole(total.requests), `${short(total.requests / report.days.length)} a day`],
    ["Tokens", short(tokens(total)), `${short(total.prompt_tokens)} in, ${short(total.completion_tokens)} out`],
    ["Errors", whole(total.errors), `${percent(total.errors, total.requests)} of requests`],
  ];
  $("totals").replaceChildren(
    ...tiles.map(([name, value, more]) => element("div", {}, element("dt", {}, name), element("dd", {}, value, element("small", {}, more)))),
  );
}

function drawTable(rows, names) {
  const numeric = Object.keys(COLUMNS).map((name) => element("th", { scope: "col" }, name));
  $("heads").replaceChildren(element("th", { scope: "col" }, report.by), ...numeric);
  $("rows").replaceChildren(
    ...rows.map((row) => {
      const index = names.indexOf(row.name);
      const head = element("th", { scope: "row" }, swatch(index < 0 ? SERIES : index));
      if (row.name) {
        const choose = element("button", { type: "button", title: `Show only ${report.by} ${row.name}` }, row.name);
        choose.addEventListener("click", () => {
          filters[report.by] = row.name;
          $("by").value = report.by === "model" ? "feature" : "model";
          refresh();
        });
        head.append(choose);
      } else head.append(named(row.name));
      return element("tr", {}, head, ...Object.values(COLUMNS).map((text) => element("td", {}, text(row))));
    }),
  );
}

$("show").replaceChildren(...Object.keys(MEASURES).map((name) => new Option(name)));
$("show").addEventListener("change", draw);
for (const id of ["days", "by"]) $(id).addEventListener("change", refresh);
new ResizeObserver(() => requestAnimationFrame(draw)).observe($("chart"));
onKey(() => {
  filters = {};
  refresh();
});
