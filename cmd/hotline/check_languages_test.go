package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"hotline/call"
	"hotline/media/prompts"
)

// TestCheckLanguages: what a second language has no prompt of is told one by one, with the line that names it, and the
// file is good all the same.
func TestCheckLanguages(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	zh := filepath.Join("..", "..", "media", "prompts", "zh")
	speaks := func(name string) {
		t.Helper()
		audio, err := os.ReadFile(filepath.Join(zh, "welcome.wav"))
		require.NoError(t, err)
		require.NoError(t, os.MkdirAll(filepath.Join(folder, "en"), 0o750))
		require.NoError(t, os.WriteFile(filepath.Join(folder, "en", name+".wav"), audio, 0o600))
	}
	for _, name := range alwaysSaid() {
		speaks(name)
	}
	speaks("welcome")
	path := write(t, `trunks: [{name: city, allow: [127.0.0.1], numbers: {"96777": {menu: main}}}]
agents: [{id: "8001", password: x1, skills: {consult: 1}}]
prompts: {folder: `+folder+`}
menus:
  main: {kind: language, prompt: welcome, languages: {"1": zh, "2": en}, next: {menu: night}}
  night: {kind: voicemail, prompt: voicemail, otherwise: {hangup: true}}
queues:
  consult: {wait_prompt: please-wait}
`)
	code, said, complaints := command(t, "check", path)
	require.Zero(t, code, complaints)
	for _, want := range []string{
		path + `:6:36: menus.night.prompt: no prompt voicemail in language en: said in zh; want a file for each in the folder en of prompts.folder`,
		path + `:6:36: menus.night.prompt: no prompt voicemail-review in language en`,
		path + `:8:26: queues.consult.wait_prompt: no prompt please-wait in language en`,
		path + `: good`,
	} {
		require.Contains(t, said, want)
	}
	require.NotContains(t, said, "welcome")

	// One that is always said is told where the language is offered.
	require.NoError(t, os.Remove(filepath.Join(folder, "en", call.NeededPrompts()[0]+".wav")))
	require.NoError(t, os.Remove(filepath.Join(folder, "en", prompts.DigitNames("7")[0]+".wav")))
	_, said, _ = command(t, "check", path)
	require.Regexp(t, `hotline\.yaml:5:\d+: menus.main.languages\.2: no prompt recorded, digit-7 in language en`, said)
}

// TestCheckBadFiles: files that cannot be played are told as that, once, and are no language that is not there.
func TestCheckBadFiles(t *testing.T) {
	t.Parallel()
	file := func(folder string) string {
		return write(t, `trunks: [{name: city, allow: [127.0.0.1], numbers: {"96777": {menu: main}}}]
agents: [{id: "8001", password: x1, skills: {consult: 1}}]
prompts: {folder: `+folder+`}
menus:
  main: {kind: language, prompt: welcome, languages: {"1": zh, "2": en}, next: {queue: consult}}
queues: {consult: {}}
`)
	}
	path := file(filepath.Join(t.TempDir(), "nowhere"))
	code, _, complaints := command(t, "check", path)
	require.Equal(t, exitFault, code)
	require.Regexp(t, `^\S+:3:\d+: prompts\.folder: folder of own prompts: .*\n$`, complaints)

	folder := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(folder, "en"), 0o750))
	require.NoError(t, os.WriteFile(filepath.Join(folder, "en", "welcome.wav"), []byte("no WAV"), 0o600))
	path = file(folder)
	code, _, complaints = command(t, "check", path)
	require.Equal(t, exitFault, code)
	require.Regexp(t, `^\S+:3:\d+: prompts\.folder: .*en.welcome\.wav.*\n$`, complaints)
	require.NotContains(t, complaints, "no prompts in language")
}
