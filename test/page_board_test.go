package test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"hotline/internal/testkit"
)

// TestBoardPage: the wall shows, without a token and by itself, that a caller waits, that an agent comes, talks, pauses and is
// free again; and says that what it shows is old when the hotline is gone, until it is back.
func TestBoardPage(t *testing.T) {
	t.Parallel()
	h := testkit.StartHotline(t, testkit.HotlineOptions{YAML: city, Race: true})
	page := testkit.StartBrowser(t).Open("http://" + h.HTTP + "/")
	page.Shows("#link", "正常接听")
	page.Shows("#calls", "当前没有来电")
	boardShows(page, [3]string{"0", "0", "0"}) // waiting, talking, ready
	boardAgent(page, "8002", "离线")

	c := caller(t, testkit.BaresipOptions{})
	c.Dial(h.Number("96110"))
	page.Shows("#queues .queue.busy h3", "故障报修")
	page.Shows("#queues .queue.busy .count", "1")
	page.Shows("#calls .wait", "等待 · 故障报修")
	boardShows(page, [3]string{"1", "0", "0"})
	testkit.StartBaresip(t, testkit.BaresipOptions{ // rung before it could be seen to be ready
		User: "8002", Password: passwords["8002"], Registrar: h.SIP, Register: true, Auto: true,
	})
	boardAgent(page, "8002", "通话")
	page.Shows("#calls .talk", "通话 · 故障报修 · 8002")
	page.Hides("#queues .queue.busy")
	boardShows(page, [3]string{"0", "1", "0"})

	agent(t, h, "8003", testkit.BaresipOptions{})
	boardAgent(page, "8003", "空闲")
	boardShows(page, [3]string{"0", "1", "1"})
	status, said := h.Post("/api/v1/agents/8003/pause", `{"reason": "lunch"}`)
	require.Equal(t, http.StatusOK, status, said)
	boardAgent(page, "8003", "暂停")
	boardShows(page, [3]string{"0", "1", "0"})
	c.Hangup()
	page.Shows("#calls", "当前没有来电")
	boardAgent(page, "8002", "空闲")
	boardShows(page, [3]string{"0", "0", "1"})
	page.Shows("#offered", "1")
	page.Shows("#connect", "100%")

	h.Kill()
	page.Shows("#link", "连接中断，正在重连")
	page.Shows("#stale", "画面不是当前情况")
	h.Start()
	page.Shows("#link", "正常接听")
	page.Hides("#stale")
}

// boardShows waits until the wall counts so many who wait, who talk, and who are ready.
func boardShows(page *testkit.Page, counts [3]string) {
	for i, id := range []string{"#waiting", "#talking", "#ready"} {
		page.Until(id+" to be "+counts[i], "document.querySelector('"+id+"').textContent === '"+counts[i]+"'")
	}
}

// boardAgent waits until the wall shows an agent in a state.
func boardAgent(page *testkit.Page, id, state string) {
	page.Until(id+" to be "+state, "[...document.querySelectorAll('#agents li')].some((a) => "+
		"a.querySelector('b').textContent === '"+id+"' && a.querySelector('span').textContent === '"+state+"')")
}
