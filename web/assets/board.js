// The live page: it draws what /events says, each second, and nothing else. Text is only ever set as
// text, so nothing that a caller or an agent chose can become markup.
"use strict";

const agentStates = { ready: "空闲", ringing: "振铃", talking: "通话", "wrap-up": "整理", paused: "暂停", "logged-out": "签出", offline: "离线" };
const stages = {
  route: "接入", menu: "选择菜单", shed: "选择菜单", wait: "等待", callback: "预约回拨", reach: "正在回拨", dial: "外呼", talk: "通话",
  code: "功能码", done: "结束",
};
const alertNames = {
  "ring-half": "振铃过半", "ring-broken": "三声未接", "talk-half": "通话过半", "talk-broken": "通话超时",
  "hold-long": "保持过久", "wait-long": "等待过久", alarm: "燃气报警", "alarm-step": "报警升级",
  overflow: "队列转出", "agent-paused": "坐席自动暂停", "callback-lost": "回拨未接通",
};
const alertSteps = {
  full: "已满", empty: "无人在线", closed: "非工作时间", "too-long": "等待过久", "expected-too-long": "预计过久", fault: "系统故障",
  skilled: "具备技能的空闲坐席", "all-skilled": "全部具备技能的坐席", everyone: "全体坐席", duty: "值班电话",
};
// The events that say that something is lost already.
const lost = ["ring-broken", "talk-broken", "overflow", "agent-paused", "callback-lost"];
const digits = ["零", "一", "二", "三", "四", "五", "六", "七", "八", "九", "十"];

// A share at or above these is kept, or near to it.
const keptFrom = 0.9, nearFrom = 0.8;
// What fits on a wall; the rest is counted.
const maxAgents = 60, maxCalls = 12;
// Beyond these the figures are drawn smaller, so that a wall shows all of them.
const manyQueues = 6, manyAgents = 24;
// What was not told anew for so long, in milliseconds, is not how things stand.
const staleAfter = 5000;

const $ = (id) => document.getElementById(id);

function el(tag, className, ...children) {
  const e = document.createElement(tag);
  if (className) e.className = className;
  e.append(...children);
  return e;
}

const chinese = (n) => digits[n] || String(n);

function clockTime(seconds) {
  const s = Math.max(0, Math.floor(seconds));
  const two = (n) => String(n).padStart(2, "0");
  if (s >= 3600) return `${Math.floor(s / 3600)}:${two(Math.floor(s / 60) % 60)}:${two(s % 60)}`;
  return `${Math.floor(s / 60)}:${two(s % 60)}`;
}

const age = (now, since) => (Date.parse(now) - Date.parse(since)) / 1000;

// A share is never rounded up to a promise fully kept.
const percent = (share) => (share >= 1 ? "100" : (Math.floor(share * 1000) / 10).toFixed(1));

const known = (share) => share !== null && share !== undefined;

function drawPromise(id, title, share, missed) {
  const card = $(id);
  card.classList.remove("good", "near", "bad");
  $(id + "-title").textContent = title;
  if (known(share)) card.classList.add(share >= keptFrom ? "good" : share >= nearFrom ? "near" : "bad");
  card.querySelector(".value").textContent = known(share) ? percent(share) : "—";
  card.querySelector(".bar i").style.setProperty("--share", known(share) ? share : 0);
  card.querySelector(".note").textContent = !known(share) ? "今日尚无数据" : missed ? `今日未达标 ${missed} 通` : "今日全部达标";
}

function drawShare(id, share) {
  $(id).replaceChildren(known(share) ? percent(share) : "—", ...(known(share) ? [el("small", "", "%")] : []));
}

function talkTitle(seconds) {
  return seconds % 60 === 0 ? `${chinese(seconds / 60)}分钟内解决` : `${seconds} 秒内解决`;
}

function drawToday(board) {
  const t = board.today || {}, goal = board.targets;
  drawPromise("rings", `${chinese(goal.rings)}声内接听`, t.rings_kept, t.rings_missed);
  drawPromise("talk", talkTitle(goal.talk_seconds), t.talk_kept, t.talk_missed);
  $("waiting").textContent = board.queues.reduce((n, q) => n + q.waiting, 0);
  $("talking").textContent = board.talking;
  $("ready").textContent = board.states.ready || 0;
  $("offered").textContent = t.offered ?? "—";
  drawShare("connect", t.connect_rate);
  drawShare("level", t.service_level);
  $("level-title").textContent = `${goal.service_level_seconds} 秒服务水平`;
  $("level").title = known(t.service_level_of_answered) ? `按接通计 ${percent(t.service_level_of_answered)}%` : "";
}

// What became of an alarm: who took it is seen and soon gone; who hung up unheard must be called back.
const fates = {
  taken: (a) => `${a.agent} 已接听 ${a.since.slice(11, 19)}`,
  gone: (a) => `已挂断 ${a.since.slice(11, 19)}，请回拨`,
};

function drawAlert(a) {
  const fate = fates[a.state];
  const what = fate ? [fate(a), a.from, a.queue && queueName(a.queue)]
    : [alertSteps[a.step] || a.step, a.queue && queueName(a.queue), a.agent, a.from];
  const text = what.filter(Boolean).join(" · ");
  const item = el("li", "", el("time", "", a.at.slice(11, 19)), el("b", "", fate ? alertNames.alarm : alertNames[a.kind] || a.kind), el("span", "", text));
  item.title = text;
  if (a.state === "taken") item.classList.add("taken");
  else if (a.kind.startsWith("alarm")) item.classList.add("alarm");
  else if (lost.includes(a.kind)) item.classList.add("broken");
  return item;
}

// The alerts that are drawn, as JSON: what has not changed is not drawn, nor read out, again.
let drawnAlerts = "[]";

function drawAlerts(alerts) {
  const fresh = JSON.stringify(alerts);
  if (fresh === drawnAlerts) return;
  const before = new Set(JSON.parse(drawnAlerts).map((a) => JSON.stringify(a)));
  const alarm = alerts.find((a) => a.kind.startsWith("alarm") && a.state !== "taken" && !before.has(JSON.stringify(a)));
  if (alarm) $("say").textContent = drawAlert(alarm).textContent; // at once, whatever is being read out
  drawnAlerts = fresh;
  $("alerts").replaceChildren(...alerts.map(drawAlert));
}

// A queue's day. Where there are many queues the second row has no room: it is in the title then.
function drawDay(day) {
  if (!day) return [el("p", "foot", "今日数据暂缺")];
  const share = (s) => (known(s) ? percent(s) + "%" : "—");
  const mean = known(day.mean_wait_seconds) ? clockTime(day.mean_wait_seconds) : "—";
  const figures = [["今日", day.offered], ["接通", day.answered], ["放弃", day.abandoned], ["服务水平", share(day.service_level)],
    ["平均等待", mean], ["最长等待", clockTime(day.longest_wait_seconds)], ["按时接听", share(day.rings_kept)],
    ["按接通计", share(day.service_level_of_answered)]];
  const list = el("dl", "day", ...figures.map(([name, value]) => el("div", "", el("dt", "", name), el("dd", "", String(value)))));
  list.title = figures.map(([name, value]) => `${name} ${value}`).join("\n");
  return [list];
}

function drawQueue(q, board) {
  const late = q.longest_wait_seconds > board.targets.service_level_seconds;
  const name = el("span", "", queueName(q.name));
  name.title = q.name;
  const card = el("article", "queue", el("h3", "", name, ...(q.alarm ? [el("em", "", "优先")] : [])));
  if (q.alarm) card.classList.add("alarm");
  if (q.waiting > 0) card.classList.add("busy");
  if (q.waiting > 0 && late) card.classList.add("late");
  const row = el("div", "row", el("span", "count", String(q.waiting)), el("span", "unit", "人等待"));
  if (q.waiting > 0) row.append(el("span", "longest", clockTime(q.longest_wait_seconds)));
  const ready = el("b", q.agents_ready === 0 ? "none" : "", String(q.agents_ready));
  card.append(row, el("p", "foot", "空闲 ", ready, " / ", el("span", "", "在线 "), String(q.agents_serving)), ...drawDay(q.today));
  return card;
}

function drawQueues(board) {
  const cards = board.queues.map((q) => drawQueue(q, board));
  $("queues").replaceChildren(...(cards.length ? cards : [el("p", "empty", "没有队列")]));
}

function drawAgents(board) {
  const counts = Object.keys(agentStates).filter((s) => board.states[s]);
  $("states").replaceChildren(...counts.map((s) => el("span", "", agentStates[s] + " ", el("b", "", String(board.states[s])))));
  const order = ["ringing", "talking", "wrap-up", "ready", "paused", "logged-out", "offline"];
  const shown = board.agents.length > maxAgents
    ? [...board.agents].sort((a, b) => order.indexOf(a.state) - order.indexOf(b.state)).slice(0, maxAgents)
    : board.agents;
  const items = shown.map((a) =>
    el("li", a.state, el("b", "", a.id), el("span", "", agentStates[a.state] || a.state),
      el("time", "", `${clockTime(age(board.now, a.since))} · 接听 ${a.calls}${several(board) && a.node ? ` · ${a.node}` : ""}`)));
  if (!items.length) items.push(el("li", "empty", "尚无坐席"));
  if (shown.length < board.agents.length) items.push(el("li", "more", `另有 ${board.agents.length - shown.length} 名`));
  $("agents").replaceChildren(...items);
}

const several = (board) => (board.nodes || []).length > 1;

function drawCall(c, board) {
  const seconds = age(board.now, c.since);
  const limit = c.at === "talk" ? board.targets.talk_seconds : c.at === "wait" ? board.targets.service_level_seconds : 0;
  const share = limit ? Math.min(1, seconds / limit) : 0;
  const where = [c.held ? "保持" : stages[c.at] || c.at, c.queue && queueName(c.queue), c.agent, several(board) && c.node];
  const item = el("li", c.at, el("span", "from", c.from || "未知号码"),
    el("span", "what", where.filter(Boolean).join(" · ")), el("span", "time", clockTime(seconds)), el("i", ""));
  if (limit && share >= 0.8) item.classList.add(share >= 1 ? "late" : "near");
  if (c.alarm) item.classList.add("alarm");
  item.querySelector("i").style.setProperty("--share", share);
  return item;
}

function drawCalls(board) {
  const shown = board.calls.slice(0, maxCalls);
  const parts = board.total ? [`共 ${board.total} 路`] : [];
  if (several(board)) parts.push(...board.nodes.map((n) => `${n.name} ${n.calls} 路${n.ready ? "" : n.ready === false ? "（停接中）" : "（无应答）"}`));
  $("calls-total").textContent = parts.join(" · ");
  const items = shown.map((c) => drawCall(c, board));
  if (!items.length) items.push(el("li", "empty", "当前没有来电"));
  if (board.total > shown.length) items.push(el("li", "more", `另有 ${board.total - shown.length} 路`));
  $("calls").replaceChildren(...items);
}

function link(text, kind) {
  const p = $("link");
  if (p.textContent !== text) p.textContent = text; // what is set is read out
  p.className = kind ? "link " + kind : "link";
}

// Old figures must not pass for the state of things: they are dimmed, and it is said since when.
let watchdog = 0;

function stale(why) {
  link(why, "broken");
  const at = $("clock").textContent;
  const text = at.startsWith("-") ? "尚未收到数据，请检查网络和热线服务" : `数据停在 ${at}，画面不是当前情况`;
  if ($("stale").textContent !== text) $("stale").textContent = text;
  document.body.classList.add("stale");
}

function alive() {
  clearTimeout(watchdog);
  watchdog = setTimeout(() => stale("数据停止更新"), staleAfter);
  $("stale").textContent = "";
  document.body.classList.remove("stale");
}

// How a node of several stands that does not share its agents with the others now.
const alone = { joining: "正常接听 · 正在加入其他节点", fading: "正常接听 · 与其他节点的联系不稳", cut: "正常接听 · 与其他节点失联，只用本节点坐席" };

function draw(board) {
  alive();
  document.body.classList.toggle("dense", board.queues.length > manyQueues || board.agents.length > manyAgents);
  document.title = $("service").textContent = board.service || "客户服务热线";
  $("clock").textContent = board.now.slice(11, 19);
  if (!board.ready) link("暂停接入", "broken");
  else if (alone[board.state]) link(alone[board.state], "waiting");
  else link("正常接听", "");
  drawAlerts(board.alerts);
  drawToday(board);
  drawQueues(board);
  drawAgents(board);
  drawCalls(board);
}

const source = new EventSource("/events");
source.onmessage = (event) => draw(JSON.parse(event.data));
source.addEventListener("alerts", (event) => drawAlerts(JSON.parse(event.data)));
source.onerror = () => {
  clearTimeout(watchdog);
  stale("连接中断，正在重连");
  // After an answer that is no event stream (too many watch) a browser does not try again by itself.
  if (source.readyState === EventSource.CLOSED) setTimeout(() => location.reload(), 5000);
};
