// The chart of the days: stacked bars, drawn as SVG at the size that there is, and told in words to whoever points at one or tabs to it.

import { $, element } from "./gateway.js";

export const SERIES = 6; // drawn apart; what is left over is drawn as one
const OTHERS = "others";
const SVG = "http://www.w3.org/2000/svg";

function svg(name, attributes = {}, ...children) {
  const node = document.createElementNS(SVG, name);
  for (const [attribute, value] of Object.entries(attributes)) node.setAttribute(attribute, value);
  node.append(...children);
  return node;
}
export const swatch = (index) => svg("svg", { viewBox: "0 0 12 12", "aria-hidden": "true" }, svg("rect", { width: 12, height: 12, rx: 3, class: `series-${index}` }));
export const named = (name) => name || "(none)";
const day = (text) => new Date(`${text}T00:00:00Z`).toLocaleDateString("en-US", { month: "short", day: "numeric", timeZone: "UTC" });

// Round steps for the axis: 1, 2 or 5 times a power of ten, about four of them.
function steps(top) {
  const rough = (top || 1) / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].find((factor) => factor * power >= rough * 0.999) * power;
  return Array.from({ length: Math.ceil((top || 1) / step - 0.001) + 1 }, (_, index) => index * step);
}

// Draws `measure` of the report's days by its member `by`: the series of `names` each, the rest as one.
export function drawChart(report, by, names, measure) {
  const series = [...names, OTHERS];
  const days = report.days.map((date) => {
    const parts = series.map(() => 0);
    for (const row of report.data) {
      if (row.day !== date) continue;
      const index = names.indexOf(row[by]);
      parts[index < 0 ? names.length : index] += measure.of(row);
    }
    return { date, parts, sum: parts.reduce((a, b) => a + b, 0) };
  });
  const ticks = steps(Math.max(...days.map(({ sum }) => sum)));
  const axis = measure.axis ?? measure.text;
  const [width, height] = [$("chart").clientWidth, $("chart").clientHeight];
  const [left, bottom] = [12 + 6.3 * Math.max(...ticks.map((tick) => axis(tick).length)), 20];
  const [slot, room] = [(width - left) / days.length, height - bottom - 6];
  const y = (value) => 6 + room * (1 - value / ticks.at(-1));
  const grid = ticks.flatMap((tick) => [
    svg("line", { x1: left, x2: width, y1: y(tick), y2: y(tick) }),
    svg("text", { x: left - 8, y: y(tick) + 4, "text-anchor": "end" }, axis(tick)),
  ]);
  const every = Math.ceil(64 / slot);
  const label = (x) => (x > width - 20 ? { x: width, y: height - 4, "text-anchor": "end" } : { x, y: height - 4, "text-anchor": "middle" });
  const labels = days.map(({ date }, index) =>
    (days.length - 1 - index) % every ? "" : svg("text", label(left + slot * (index + 0.5)), day(date)),
  );
  const bars = days.map((entry, index) => bar(entry, left + slot * index, slot, y, describe(entry, series, measure)));
  $("chart").replaceChildren(svg("svg", { role: "group", "aria-label": $("caption").textContent }, ...grid, ...labels.filter(Boolean), ...bars));
  $("detail").textContent = "";
  const used = series.filter((_, index) => days.some(({ parts }) => parts[index]));
  $("legend").replaceChildren(...used.map((name) => element("li", {}, swatch(series.indexOf(name) === names.length ? SERIES : series.indexOf(name)), named(name))));
}

function describe({ date, parts, sum }, series, measure) {
  const named_parts = series.flatMap((name, index) => (parts[index] ? [`${named(name)} ${measure.text(parts[index])}`] : []));
  return `${day(date)}: ${measure.text(sum)}${named_parts.length > 1 ? ` (${named_parts.join(", ")})` : ""}`;
}

function bar({ parts }, x, slot, y, text) {
  const gap = Math.min(slot * 0.2, 8);
  const group = svg("g", { class: "day", tabindex: 0, role: "img", "aria-label": text });
  group.append(svg("rect", { class: "room", x, y: y(0) - (y(0) - 6), width: slot, height: y(0) - 6 }));
  let sum = 0;
  parts.forEach((part, index) => {
    if (!part) return;
    const [low, high] = [y(sum), y((sum += part))];
    const series = index === parts.length - 1 ? SERIES : index;
    group.append(svg("rect", { class: `series-${series}`, x: x + gap / 2, y: high, width: Math.max(1, slot - gap), height: Math.max(0.5, low - high) }));
  });
  const tell = () => {
    document.querySelectorAll(".day.chosen").forEach((other) => other.classList.remove("chosen"));
    group.classList.add("chosen");
    $("detail").textContent = text;
  };
  for (const event of ["pointerenter", "focus", "click"]) group.addEventListener(event, tell);
  return group;
}
