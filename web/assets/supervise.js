// The supervisor's page: the talks going on, and buttons by which the supervisor's own phone is rung to hear one. It asks
// the API with the token that was typed in, which is kept for this tab alone. Text is only ever set as text.
"use strict";

const modes = { listen: "监听", whisper: "耳语", join: "加入" };
const refusals = {
  401: "令牌无效", 403: "该令牌无权监听", 404: "该通话已结束", 422: "请选择话机",
  409: "现在不行：没有人在通话、话机占用，或已有班长",
};
// How often the talks are asked for, in milliseconds, and how many calls are looked at.
const every = 2000, looked = 500;

const $ = (id) => document.getElementById(id);
let token = sessionStorage.getItem("token") || "";

function el(tag, className, text) {
  const e = document.createElement(tag);
  if (className) e.className = className;
  if (text) e.textContent = text;
  return e;
}

async function api(method, path, body) {
  const answer = await fetch("/api/v1/" + path, {
    method, body: body && JSON.stringify(body), cache: "no-store",
    headers: { Authorization: "Bearer " + token, "Content-Type": "application/json" },
  });
  if (!answer.ok) throw Object.assign(new Error(refusals[answer.status] || "出错：" + answer.status), { status: answer.status });
  return answer.status === 204 ? null : answer.json();
}

function say(text, kind) {
  $("said").textContent = text;
  $("said").className = kind ? "note " + kind : "note";
}

async function act(method, id, mode) {
  const phone = $("phone").value;
  try {
    await api(method, `calls/${encodeURIComponent(id)}/supervise`, mode && { phone, mode });
    say(mode ? `${modes[mode]}：话机 ${phone}` : "已退出");
  } catch (err) {
    say(err.message, "bad");
  }
  refresh();
}

// The talk of a call that is going on and can be heard; null when there is none.
function talkOf(call) {
  const talk = call.talks[call.talks.length - 1];
  return call.ended === null && talk && talk.joined !== null && talk.ended === null ? talk : null;
}

// A row stays the same while its talk goes on, so that no click is lost to a redraw.
const rows = new Map();

function row(id) {
  const item = el("li"), what = el("span", "what"), now = el("b", "now");
  item.append(what, now);
  for (const [mode, name] of Object.entries(modes)) {
    const button = el("button", mode, name);
    button.addEventListener("click", () => act("POST", id, mode));
    item.append(button);
  }
  const leave = el("button", "leave", "退出");
  leave.addEventListener("click", () => act("DELETE", id));
  item.append(leave);
  $("talks").append(item);
  return { item, what, now, leave };
}

function draw(calls) {
  const going = calls.filter((c) => c.kind !== "supervision" && talkOf(c));
  const ids = new Set(going.map((c) => c.id));
  for (const [id, r] of rows) if (!ids.has(id)) { r.item.remove(); rows.delete(id); }
  for (const c of going) {
    if (!rows.has(c.id)) rows.set(c.id, row(c.id));
    const r = rows.get(c.id), talk = talkOf(c), ear = c.supervisions.find((s) => s.to === null);
    r.what.textContent = [talk.agent || talk.number, c.from || "未知号码", talk.queue, talk.joined.slice(11, 19)].filter(Boolean).join(" · ");
    r.now.textContent = ear ? `${ear.by} ${modes[ear.mode]}` : "";
    r.leave.hidden = !ear;
    for (const mode of Object.keys(modes)) r.item.querySelector("." + mode).ariaPressed = String(Boolean(ear && ear.mode === mode));
  }
  $("none").hidden = going.length > 0;
}

function drawPhones(agents) {
  const phones = agents.filter((a) => a.role === "supervisor"), known = [...$("phone").options].map((o) => o.value);
  if (phones.map((a) => a.id).join() === known.join()) return;
  const chosen = $("phone").value;
  $("phone").replaceChildren(...phones.map((a) => Object.assign(el("option", "", [a.id, a.name].filter(Boolean).join(" ")), { value: a.id })));
  if (phones.some((a) => a.id === chosen)) $("phone").value = chosen;
}

let timer = 0;

async function refresh() {
  clearTimeout(timer);
  try {
    const [calls, agents] = await Promise.all([api("GET", "calls?limit=" + looked), api("GET", "agents")]);
    draw(calls.calls);
    drawPhones(agents.agents);
    [$("link").textContent, $("link").className] = ["已连接", "link"];
    $("enter").hidden = !($("desk").hidden = false);
    sessionStorage.setItem("token", token);
  } catch (err) {
    [$("link").textContent, $("link").className] = [err.status ? err.message : "连接中断，正在重连", "link broken"];
    if (err.status === 401 || err.status === 403) { // no token, or not one that may
      sessionStorage.removeItem("token");
      $("desk").hidden = !($("enter").hidden = false);
      return;
    }
  }
  clearTimeout(timer);
  timer = setTimeout(refresh, every);
}

$("enter").addEventListener("submit", (event) => {
  event.preventDefault();
  token = $("token").value.trim();
  $("token").value = "";
  refresh();
});
if (token) refresh();
