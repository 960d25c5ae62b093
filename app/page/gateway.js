// What the pages share: the client key, which lives in this tab alone, calls to the gateway that served the page, and how amounts read.

export const $ = (id) => document.getElementById(id);
const KEY = "gateway-client-key";
const key = () => sessionStorage.getItem(KEY) ?? "";

export const call = (path, options = {}) =>
  fetch(path, { ...options, headers: { authorization: `Bearer ${key()}`, "content-type": "application/json", accept: "application/json" } });

export async function problem(response) {
  const body = await response.json().catch(() => null);
  return body?.error?.message ?? `The gateway answered with status ${response.status}.`;
}

// The JSON at a path; null when a key is asked for, as there is none or it is refused. Anything else that goes wrong is thrown.
export async function load(path) {
  if (!key()) return askForKey();
  let response;
  try {
    response = await call(path);
  } catch {
    return askForKey("The gateway cannot be reached.");
  }
  if (response.ok) return response.json();
  const message = await problem(response);
  if (response.status !== 401) throw new Error(message);
  sessionStorage.removeItem(KEY);
  return askForKey(message);
}

export function askForKey(message = "") {
  $("keys-error").textContent = message;
  $("keys-error").hidden = !message;
  $("key").value = "";
  if (!$("keys").open) $("keys").showModal();
  return null;
}

// Calls `use` once a key was given, now and whenever another one is.
export function onKey(use) {
  $("keys-form").addEventListener("submit", (event) => {
    event.preventDefault();
    sessionStorage.setItem(KEY, $("key").value.trim());
    $("keys").close();
    use();
  });
  $("forget").addEventListener("click", () => askForKey());
  use();
}

export function element(name, properties = {}, ...children) {
  const node = Object.assign(document.createElement(name), properties);
  node.append(...children);
  return node;
}

export function money(usd) {
  if (usd === 0) return "$0";
  if (usd < 0.01) return `$${usd.toFixed(Math.min(9, 1 - Math.floor(Math.log10(usd))))}`;
  return usd.toLocaleString("en-US", { style: "currency", currency: "USD", maximumFractionDigits: usd < 1 ? 3 : 2 });
}
