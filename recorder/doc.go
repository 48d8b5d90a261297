// Package recorder owns the recordings of calls: one WAV file per call, written while it is spoken,
// readable at every instant, repaired after a crash. Package call starts and closes recordings through
// its port call.Recorder; package media feeds them packets as taps; package web opens the files.
//
// # File
//
// A recording is <Dir>/YYYY/MM/DD/<call>.wav, the date being that of the join: G.711 A-law
// (WAVE_FORMAT_ALAW), 8,000 samples per second, two channels, left the caller ([media.SideA]), right
// the agent ([media.SideB]). Its name never changes, so what a record says is found also after a crash.
// A call recorded a second time (taken up again after a restart) gets <call>_2.wav, and so on: nothing that
// was recorded is ever written over.
//
// # Placing
//
// Audio lies where RTP time says, not where packets happened to arrive: see track. What was lost stays
// silence, what came out of order lands where it belongs, and a duplicate changes nothing.
//
// # Writing
//
// Frame copies into a window in memory under the recording's own mutex and never waits for the disk.
// One goroutine, the flusher, carries every window to its file once per second and sets the header's
// sizes after the audio, so that a killed process leaves a readable file that is at most that old.
// While the disk stalls, a window grows to maxPairs (16 s, 256 KiB) and then audio is dropped and
// counted. Only Start and Close wait for the disk, for a bounded time.
//
// # Keeping
//
// Recordings older than Options.Keep are deleted, by whole days, file by file: those files alone whose name
// this package gave, in its day folders. What else lies there is nobody's to delete, and keeps its folder.
//
// # Goroutines
//
// Every method may be called from any goroutine. A recording has two locks: disk, held over file
// operations, and mu, held for copies only; disk is taken first. New starts the flusher and the keeper,
// which deletes old recordings; Start and Close each run their disk work in a short goroutine, so that
// their callers can stop waiting for it. Recorder.Close waits for them all. A panic in any of them costs one
// recording, or one round of the keeper.
package recorder
