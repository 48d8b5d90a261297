package test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/internal/testkit"
)

// Tokens that people type into pages, and the text that gives them to a hotline.
const (
	deskToken  = "a-token-of-the-desk"
	seatToken  = "a-token-of-a-seat"
	booksToken = "a-token-of-the-books"
	pageTokens = "{name: desk, role: supervisor, token: " + deskToken + "}, {name: seat, role: agent, agent: '8002', token: " + seatToken +
		"}, {name: books, role: auditor, token: " + booksToken + "}, "
)

// admit gives a running hotline the tokens of pages.
func admit(t *testing.T, h *testkit.Hotline) {
	t.Helper()
	h.Edit("tokens: [", "tokens: ["+pageTokens)
	reread(t, h)
}

// reread has a hotline read its configuration anew.
func reread(t *testing.T, h *testkit.Hotline) {
	t.Helper()
	status, said := h.Post("/api/v1/reload", "")
	require.Equal(t, http.StatusOK, status, said)
}

// enter types a token into the supervisors' page.
func enter(page *testkit.Page, token string) {
	page.Type("#token", token)
	page.Click("#enter button")
}

// supervisorPhone is a phone of a supervisor of superviseCity.
func supervisorPhone(t *testing.T, h *testkit.Hotline, auto bool) *testkit.Baresip {
	t.Helper()
	ear := testkit.StartBaresip(t, testkit.BaresipOptions{
		User: "9001", Password: "nine", Registrar: h.SIP, Register: true, Auto: auto, Tone: supervisorTone, Codecs: "PCMU",
	})
	h.AwaitAgent("9001", "ready")
	return ear
}

// TestSupervisePage: a supervisor logs in to the page, sees a call come and be talked in, and has their phone hear it: each
// mode by a click, one more by a key of the phone, which the page then shows. In each mode each end has the tones of those
// who are to be heard there, and of nobody else; so it has once the supervisor has left, and when the talk is over the
// page is empty. The call's ladder is a click away.
func TestSupervisePage(t *testing.T) {
	t.Parallel()
	h := testkit.StartHotline(t, testkit.HotlineOptions{YAML: superviseCity, Race: true, Ping: "10m"})
	admit(t, h)
	page := testkit.StartBrowser(t).Open("http://" + h.HTTP + "/supervise")
	phone := agent(t, h, "8002", testkit.BaresipOptions{Auto: true})
	ear := supervisorPhone(t, h, true)
	enter(page, deskToken)
	page.Shows("#link", "已连接")
	page.Shows("#none", "当前没有通话")
	page.Hides("#enter")
	page.Until("the phones to be chosen from", "[...$('phone').options].map((o) => o.value).join() === '9001'")

	wire := h.Capture()
	c := caller(t, testkit.BaresipOptions{})
	c.Dial(h.Number("96110"))
	talk(t, h, 1500*time.Millisecond)
	id := h.Calls()[0].ID
	page.Shows("#talks .what", "8002 · 13900001234 · 故障报修")
	page.Hides("#none")
	page.Hides("#talks .leave")
	const places = "JSON.stringify([...document.querySelectorAll('#talks .what ~ button')].map((b) => b.getBoundingClientRect()))"
	page.Do("window.placed = " + places)
	for n, mode := range []string{"listen", "whisper", "join"} {
		page.Click("#talks ." + mode)
		pageHears(page, mode)
		page.Until("the buttons where they were, so that a second click hits no other", places+" === window.placed")
		supervised(h, id, mode, n+1)
	}
	ear.SendDigit('1')
	pageHears(page, "listen")
	supervised(h, id, "listen", 4)
	page.Click("#talks .leave")
	ear.Await(testkit.CallClosed)
	page.Shows("#said", "已退出")
	page.Hides("#talks .leave")
	page.Until("nobody to hear", "document.querySelector('#talks .now').textContent === '' && !document.querySelector('[aria-pressed=true]')")
	page.Hides("#ladder")
	page.Click("#talks .trace")
	page.Until("the call's ladder", `["139******34 → 热线  INVITE", "热线 → 8002  INVITE", "8002 → 热线  200 Answering (INVITE)", "热线 → 8002  ACK"]
		.every((line) => $('messages').textContent.includes(line))`)
	page.Until("no caller's number in it", `![...$('messages').children].some((m) => (m.textContent + m.title).includes('13900001234'))`)
	page.Click("#ladder-close")
	page.Hides("#ladder")
	c.Hangup()
	page.Shows("#none", "当前没有通话")
	page.Until("no talk to be listed", "$('talks').children.length === 0")

	h.AwaitCalls(2, "finished", testkit.Finished)
	supervisedHeard(t, h, h.Call(id), wire.RTP(), [3]testkit.PortRange{c.RTP, phone.RTP, ear.RTP})
}

// pageModes are what the page calls the modes.
var pageModes = map[string]string{"listen": "监听", "whisper": "耳语", "join": "加入"}

// pageHears waits until the page says that 9001 hears the only talk in a mode, and has that button alone pressed.
func pageHears(page *testkit.Page, mode string) {
	page.Shows("#talks .now", "9001 "+pageModes[mode])
	page.Until(mode+" alone to be pressed", "[...document.querySelectorAll('[aria-pressed=true]')].map((b) => b.className).join() === '"+mode+"'")
	page.Shows("#talks .leave", "退出")
}

// TestSupervisePageTokens: the page shows nothing to whom the API tells nothing, and says why; a token lasts as long as it
// is in force, over a reload of the page and a restart of the hotline, and is kept in no other tab.
func TestSupervisePageTokens(t *testing.T) {
	t.Parallel()
	h := testkit.StartHotline(t, testkit.HotlineOptions{YAML: superviseCity, Race: true})
	admit(t, h)
	browser := testkit.StartBrowser(t)
	address := "http://" + h.HTTP + "/supervise"
	page := browser.Open(address)
	page.Shows("#link", "未登录")
	page.Hides("#desk")
	for _, refused := range []struct{ token, said string }{
		{"a-token-of-nobody", "令牌无效"}, {seatToken, "该令牌无权监听"}, {booksToken, "该令牌无权监听"},
	} {
		page.Do("$('link').textContent = ''")
		enter(page, refused.token)
		page.Shows("#link", refused.said)
		page.Shows("#enter", "令牌")
		page.Hides("#desk")
	}
	enter(page, deskToken)
	page.Shows("#desk", "当前没有通话")
	page.Reload()
	page.Shows("#link", "已连接")
	page.Hides("#enter")
	browser.Open(address).Shows("#link", "未登录")

	h.Kill()
	page.Shows("#link", "连接中断，正在重连")
	h.Start()
	page.Shows("#link", "已连接")
	h.Edit(deskToken, "another-token")
	reread(t, h)
	page.Shows("#link", "令牌无效")
	page.Hides("#desk")
	enter(page, "another-token")
	page.Shows("#link", "已连接")
}

// TestSupervisePageRefusals: what cannot be done is said in words: the phone is not registered, refuses, or is in use; another
// supervisor was first; the call has ended since the page last looked.
func TestSupervisePageRefusals(t *testing.T) {
	t.Parallel()
	h := testkit.StartHotline(t, testkit.HotlineOptions{YAML: superviseCity, Race: true, Ping: "10m"})
	h.Edit("queues:", `  - {id: "8003", password: three, skills: {repair: 3}}
  - {id: "9002", password: zwei, role: supervisor}
queues:`)
	admit(t, h)
	page := testkit.StartBrowser(t).Open("http://" + h.HTTP + "/supervise")
	enter(page, deskToken)
	page.Until("two phones", "$('phone').options.length === 2")
	agent(t, h, "8002", testkit.BaresipOptions{Auto: true})
	c := caller(t, testkit.BaresipOptions{})
	c.Dial(h.Number("96110"))
	talk(t, h, 0)
	page.Click("#talks .listen")
	page.Shows("#said.bad", "话机 9001 未注册或无法接通")

	ear := supervisorPhone(t, h, false)
	page.Click("#talks .whisper")
	ear.Await(testkit.CallIncoming)
	page.Shows("#talks .now", "9001 振铃")
	page.Shows("#said", "请接听话机 9001")
	ear.Hangup()
	page.Shows("#said.bad", "话机 9001 占线") // what this phone means by it: 486
	page.Hides("#talks .leave")
	page.Click("#talks .listen")
	ear.Await(testkit.CallIncoming)
	page.Shows("#talks .now", "9001 振铃")
	page.Click("#talks .leave")
	ear.Await(testkit.CallClosed)
	page.Hides("#talks .leave")

	page.Click("#talks .join")
	ear.Await(testkit.CallIncoming)
	ear.Accept()
	pageHears(page, "join")
	page.Choose("#phone", "9002")
	page.Click("#talks .listen")
	page.Shows("#said.bad", "已有另一位班长在该通话中")
	page.Choose("#phone", "9001")
	agent(t, h, "8003", testkit.BaresipOptions{Auto: true})
	other := caller(t, testkit.BaresipOptions{User: "13900005678"})
	other.Dial(h.Number("96110"))
	page.Shows("#talks .what", "13900005678")
	page.Click("#talks li:nth-child(2) .listen")
	page.Shows("#said.bad", "所选话机正在使用")

	ear.Hangup()
	page.Shows("#said", "话机 9001 已退出")
	page.Hides("#talks .leave")
	page.Do("clearTimeout(timer)") // the page looks no more
	c.Hangup()
	h.AwaitCall("over", func(r testkit.Record) bool { return r.From == "13900001234" && testkit.Finished(r) })
	page.Click("#talks li:first-child .listen")
	page.Shows("#said.bad", "该通话已结束")
	page.Until("the other talk alone to be listed", "document.querySelectorAll('#talks li').length === 1")
	page.Shows("#talks .what", "13900005678")
}
