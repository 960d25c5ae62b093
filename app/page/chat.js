// The chat page: one conversation, streamed from the gateway that served this page.

import { $, askForKey, call, element, load, money, onKey, problem } from "./gateway.js";

let talk = [];
let running = null;
let prices = {};

// --- key and models

async function loadModels() {
  let models;
  try {
    models = await load("v1/models");
  } catch (error) {
    askForKey(error.message);
  }
  if (!models) return;
  prices = Object.fromEntries(models.data.map((model) => [model.id, model.pricing]));
  $("model").replaceChildren(...models.data.map((model) => new Option(model.id)));
  $("model").disabled = false;
  $("prompt").focus();
}

// What the usage costs at a price in dollars per million tokens; undefined when the gateway told no price.
function cost(usage, price) {
  if (!usage || !price) return undefined;
  const cached = usage.prompt_tokens_details?.cached_tokens ?? 0;
  const input = (usage.prompt_tokens - cached) * price.input + cached * (price.cached_input ?? price.input);
  return (input + usage.completion_tokens * price.output) / 1e6;
}

// --- what is shown

function addMessage(role, text = "") {
  const body = element("div", { className: "text" }, text);
  const article = element("article", { className: role }, body);
  $("welcome").hidden = true;
  $("talk").append(article);
  $("talk").scrollTop = $("talk").scrollHeight;
  return { article, body };
}

// Code fences, inline code and bold; everything goes in as text, never as markup.
function render(target, text) {
  const parts = text.split(/```[^\n`]*\n([\s\S]*?)(?:```|$)/);
  target.replaceChildren(
    ...parts.flatMap((part, index) => {
      if (index % 2) return [element("pre", {}, element("code", {}, part.replace(/\n$/, "")))];
      return part.split(/(`[^`\n]+`|\*\*[^*\n]+\*\*)/).map((piece) => {
        if (/^`.+`$/.test(piece)) return element("code", {}, piece.slice(1, -1));
        if (/^\*\*.+\*\*$/.test(piece)) return element("strong", {}, piece.slice(2, -2));
        return piece;
      });
    }),
  );
}

function addFacts(article, { asked, model, usage, usd, first, total, cache, stopped }) {
  const seconds = (ms) => (ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`);
  const facts = [[asked === model ? model : `${asked} → ${model}`]];
  if (usage) facts.push([`${usage.prompt_tokens} + ${usage.completion_tokens} tokens`]);
  if (usd !== undefined) facts.push(cache === "hit" ? [`${money(usd)} saved`, "hit"] : [money(usd)]);
  if (first) facts.push([`first token ${seconds(first)}`]);
  facts.push([`total ${seconds(total)}`]);
  if (cache) facts.push([`cache ${cache}`, cache]);
  if (stopped) facts.push(["stopped"]);
  article.append(element("ul", { className: "facts" }, ...facts.map(([text, className = ""]) => element("li", { className }, text))));
}

function setRunning(controller) {
  running = controller;
  $("send").hidden = Boolean(controller);
  $("stop").hidden = !controller;
}

// --- asking

async function* events(stream) {
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const lines = (rest + value).split("\n");
    rest = lines.pop();
    for (const line of lines) {
      if (line.startsWith("data: ") && line !== "data: [DONE]") yield JSON.parse(line.slice(6));
    }
  }
}

async function ask(text) {
  const mine = talk;
  mine.push({ role: "user", content: text });
  addMessage("user", text);
  const { article, body } = addMessage("assistant");
  article.classList.add("busy");
  setRunning(new AbortController());
  const asked = $("model").value;
  const facts = { asked, model: asked };
  const started = performance.now();
  let answer = "";
  try {
    const request = { model: asked, messages: mine, stream: true, stream_options: { include_usage: true } };
    const response = await call("v1/chat/completions", { method: "POST", body: JSON.stringify(request), signal: running.signal });
    if (!response.ok) throw new Error(await problem(response));
    facts.cache = response.headers.get("x-cache");
    facts.model = response.headers.get("x-gateway-model") ?? asked;
    facts.told = response.headers.get("x-gateway-cost-usd");
    for await (const event of events(response.body)) {
      if (event.error) throw new Error(event.error.message);
      facts.usage = event.usage ?? facts.usage;
      const piece = event.choices?.[0]?.delta?.content;
      if (!piece) continue;
      facts.first ??= performance.now() - started;
      answer += piece;
      const follow = $("talk").scrollHeight - $("talk").scrollTop - $("talk").clientHeight < 80;
      render(body, answer);
      if (follow) $("talk").scrollTop = $("talk").scrollHeight;
    }
  } catch (error) {
    if (error.name === "AbortError") facts.stopped = true;
    else article.append(element("div", { className: "error", role: "alert" }, error instanceof TypeError ? "The connection to the gateway was lost." : error.message));
  }
  facts.total = performance.now() - started;
  facts.usd = cost(facts.usage, prices[facts.model] ?? prices[asked]);
  if (facts.told && facts.cache !== "hit") facts.usd = Number(facts.told);
  if (answer) mine.push({ role: "assistant", content: answer });
  else mine.pop();
  article.classList.remove("busy");
  addFacts(article, facts);
  $("talk").scrollTop = $("talk").scrollHeight;
  setRunning(null);
}

function submit() {
  const text = $("prompt").value.trim();
  if (!text || running || $("model").disabled) return;
  $("prompt").value = "";
  fit();
  ask(text);
}

function fit() {
  $("prompt").rows = Math.min(8, $("prompt").value.split("\n").length);
}

$("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  submit();
});
$("prompt").addEventListener("input", fit);
$("prompt").addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  submit();
});
$("stop").addEventListener("click", () => running?.abort());
$("fresh").addEventListener("click", () => {
  running?.abort();
  talk = [];
  document.querySelectorAll("article").forEach((article) => article.remove());
  $("welcome").hidden = false;
  $("prompt").focus();
});
$("ideas").addEventListener("click", (event) => {
  if (!(event.target instanceof HTMLButtonElement)) return;
  $("prompt").value = event.target.textContent;
  submit();
});

onKey(loadModels);
