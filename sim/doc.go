// Package sim has people who are not there: callers who dial, listen, press a key, wait as long as their
// patience lasts, talk and hang up; and agents at softphones who let it ring a little and answer. They
// make real SIP calls and send real RTP over whatever network the hotline listens on. The demo shows
// them; load tests use them.
//
// Flood is something else: calls that are nothing but signalling, as many a second as are asked for, by one socket and no
// phone at all, for measuring what a server can take.
//
// Goroutines: every person is one, and World.Run waits for all of them. A World's other methods may be
// called from any goroutine. What the people share is the random numbers and the list of callers,
// behind the World's mutex.
package sim
