// The supervisor's page: the talks going on, and buttons by which the supervisor's own phone is rung to hear one. It asks
// the API with the token that was typed in, which is kept for this tab alone. Text is only ever set as text.
"use strict";

const modes = { listen: "监听", whisper: "耳语", join: "加入" };
// What is said of an answer of the API, by its reason or else its status.
const refusals = {
  401: "令牌无效", 403: "该令牌无权监听", 404: "该通话已结束", 409: "现在不行", 422: "请选择话机",
  "not-talking": "该通话现在没有人在交谈", engaged: "所选话机正在使用", supervised: "已有另一位班长在该通话中",
  "too-often": "该通话的监听记录已满",
};
// What became of a phone that was rung, where it never came on the line.
const outcomes = {
  unreachable: "未注册或无法接通", busy: "占线", declined: "已拒接", "no-answer": "无人接听", code: "接听时已无通话可听",
};
// How often the talks are asked for, in milliseconds, and how many calls are looked at.
const every = 2000, looked = 500;

const $ = (id) => document.getElementById(id);
let token = sessionStorage.getItem("token") || "";
// The call and the phone of the last click that had a phone rung, until what becomes of it is told.
let asked = null;
// The supervisors' own calls that had ended when last looked.
let ended = new Set();

function el(tag, className, text) {
  const e = document.createElement(tag);
  if (className) e.className = className;
  if (text) e.textContent = text;
  return e;
}

async function refusal(answer) {
  const { reason } = await answer.json().catch(() => ({}));
  return Object.assign(new Error(refusals[reason] || refusals[answer.status] || "出错：" + answer.status), { status: answer.status });
}

async function api(method, path, body) {
  const answer = await fetch(path.startsWith("/") ? path : "/api/v1/" + path, {
    method, body: body && JSON.stringify(body), cache: "no-store",
    headers: { Authorization: "Bearer " + token, "Content-Type": "application/json" },
  });
  if (!answer.ok) throw await refusal(answer);
  return answer.status === 204 ? null : answer.json();
}

// What went wrong, in words; without a status there was no answer.
const words = (err) => (err.status ? err.message : "连接中断，正在重连");

function say(text, kind) {
  $("said").textContent = text;
  $("said").className = kind ? "note " + kind : "note";
}

async function act(method, id, mode) {
  const phone = $("phone").value, before = asked;
  asked = mode ? { id, phone } : null;
  try {
    await api(method, `calls/${encodeURIComponent(id)}/supervise`, mode && { phone, mode });
    say(mode ? "" : "已退出");
  } catch (err) {
    asked = before;
    say(words(err), "bad");
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

function row({ id, trace }) {
  const item = el("li"), what = el("span", "what"), now = el("b", "now");
  item.append(what, now);
  for (const [mode, name] of Object.entries(modes)) {
    const button = el("button", mode, name);
    button.addEventListener("click", () => act("POST", id, mode));
    item.append(button);
  }
  const leave = el("button", "leave", "退出");
  leave.addEventListener("click", () => act("DELETE", id));
  const ladder = el("button", "trace", "信令");
  ladder.addEventListener("click", () => showLadder(what.textContent, trace));
  item.append(leave, ladder);
  $("talks").append(item);
  return { item, what, now, leave };
}

// A SIP message in a line: when, from whom to whom, and what: a request's method, or an answer's status and what it answers.
function messageLine(m) {
  if (m.omitted) return `… ${m.omitted} 条未保存`;
  const [from, to] = m.received ? [m.party || m.remote, "热线"] : ["热线", m.party || m.remote];
  const [start] = m.head.split("\r\n", 1), [first, ...rest] = start.split(" ");
  const method = (/^cseq[ \t]*:[ \t]*\d+[ \t]+(\S+)/im.exec(m.head) || [])[1] || "";
  return `${m.at.slice(11, 23)} ${from} → ${to}  ${first === "SIP/2.0" ? `${rest.join(" ")} (${method})` : first}`;
}

// Shows what a call has said by SIP so far, by the field trace of its record.
async function showLadder(name, trace) {
  try {
    const { messages } = await api("GET", trace);
    $("ladder-of").textContent = name;
    $("messages").replaceChildren(...messages.map((m) => Object.assign(el("li", m.received ? "in" : "out", messageLine(m)), { title: m.head })));
    $("ladder").hidden = false;
    say("");
  } catch (err) {
    say(err.status === 404 ? "没有保存该通话的信令" : words(err), "bad");
  }
}

// Who hears a call, and how, or whose phone is being rung for it: the mode is empty then. Null when nobody is.
function earOf(call, own) {
  const on = call.supervisions.find((s) => s.to === null), rung = own.find((c) => c.origin === call.id && c.ended === null);
  if (on) return on;
  return rung ? { by: rung.from, mode: "" } : null;
}

function draw(calls) {
  const own = calls.filter((c) => c.kind === "supervision"), going = calls.filter((c) => c.kind !== "supervision" && talkOf(c));
  const ids = new Set(going.map((c) => c.id));
  for (const [id, r] of rows) if (!ids.has(id)) { r.item.remove(); rows.delete(id); }
  for (const c of going) {
    if (!rows.has(c.id)) rows.set(c.id, row(c));
    const r = rows.get(c.id), talk = talkOf(c), ear = earOf(c, own);
    const parts = [talk.agent || talk.number, c.from || "未知号码", c.queue && queueName(c.queue), talk.joined.slice(11, 19)];
    r.what.textContent = parts.filter(Boolean).join(" · ");
    r.now.textContent = ear ? `${ear.by} ${modes[ear.mode] || "振铃"}` : "";
    r.leave.hidden = !ear;
    for (const mode of Object.keys(modes)) r.item.querySelector("." + mode).ariaPressed = String(Boolean(ear && ear.mode === mode));
  }
  $("none").hidden = going.length > 0;
  tell(own, calls);
  ended = new Set(own.filter((c) => c.ended !== null).map((c) => c.id));
}

// Tells how the phone that was rung does, when that has changed since last looked.
function tell(own, calls) {
  const mine = asked && own.find((c) => c.origin === asked.id && c.from === asked.phone); // the newest
  if (!mine || ended.has(mine.id)) return;
  const heard = calls.find((c) => c.id === asked.id), why = outcomes[mine.reason];
  const on = heard && heard.supervisions.some((s) => s.by === asked.phone && s.to === null);
  const state = mine.ended !== null ? `话机 ${asked.phone} ${why || "已退出"}` : on ? "" : `请接听话机 ${asked.phone}`;
  if (state !== asked.state) say(state, why && "bad");
  asked = mine.ended === null ? { ...asked, state } : null;
}

function drawPhones(agents) {
  const phones = agents.filter((a) => a.role === "supervisor"), known = [...$("phone").options].map((o) => o.value);
  if (phones.map((a) => a.id).join() === known.join()) return;
  const chosen = $("phone").value;
  $("phone").replaceChildren(...phones.map((a) => Object.assign(el("option", "", a.name && a.name !== a.id ? `${a.id} ${a.name}` : a.id), { value: a.id })));
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
    [$("link").textContent, $("link").className] = [words(err), "link broken"];
    if (err.status === 401 || err.status === 403) { // no token, or not one that may
      sessionStorage.removeItem("token");
      $("desk").hidden = $("ladder").hidden = !($("enter").hidden = false);
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
$("ladder-close").addEventListener("click", () => { $("ladder").hidden = true; });
if (token) refresh();
