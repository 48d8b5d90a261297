package testkit

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Another runs a second process by the first one's configuration, as edited, which is to end by itself.
// It returns its exit code and all that it said.
func (h *Hotline) Another(edit func(configuration string) string) (code int, said string) {
	h.tb.Helper()
	config := filepath.Join(h.tb.TempDir(), "hotline.yaml")
	if err := os.WriteFile(config, []byte(edit(h.text)), configPermission); err != nil {
		h.tb.Fatalf("write another configuration: %v", err)
	}
	cmd := exec.Command(h.binary, "serve", "--config", config) //nolint:noctx // cleanup ends it
	cmd.Dir = filepath.Dir(config)
	p := startProcess(h.tb, "another hotline", cmd)
	select {
	case <-p.exited:
	case <-time.After(Patience):
		h.tb.Fatalf("another hotline did not end within %s:\n%s", Patience, tail(p.output.String(), 4000))
	}
	return p.code(), p.output.String()
}

// Resident is how many bytes of memory it has (Linux's proc(5), VmRSS).
func (h *Hotline) Resident() int {
	h.tb.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", h.process.cmd.Process.Pid))
	if err != nil {
		h.tb.Fatalf("read the hotline's memory: %v", err)
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "VmRSS:" {
			kib, err := strconv.Atoi(f[1])
			if err != nil {
				h.tb.Fatalf("the hotline's memory: %v", err)
			}
			return kib << 10
		}
	}
	h.tb.Fatalf("no VmRSS in:\n%s", text)
	return 0
}

// Metric is the sum of a metric over its labels.
func (h *Hotline) Metric(name string) float64 {
	h.tb.Helper()
	sum, found := 0.0, false
	for line := range strings.Lines(string(h.Get("/metrics"))) {
		rest, ok := strings.CutPrefix(line, name)
		if !ok || rest[0] != '{' && rest[0] != ' ' {
			continue
		}
		v, err := strconv.ParseFloat(strings.TrimSpace(rest[strings.LastIndexByte(rest, ' '):]), 64)
		if err != nil {
			h.tb.Fatalf("metric %s: %v", line, err)
		}
		sum, found = sum+v, true
	}
	if !found {
		h.tb.Fatalf("no metric %s", name)
	}
	return sum
}

// PlayableRecording is the recording of a call, read as a file by soxi, a stranger's program, which must
// agree with our own reading of it.
func (h *Hotline) PlayableRecording(r Record) WAV {
	h.tb.Helper()
	Require(h.tb, "soxi")
	path := filepath.Join(h.Data, "recordings", r.Recording)
	w := ReadWAV(h.tb, path)
	out, err := exec.CommandContext(h.tb.Context(), "soxi", "-s", path).CombinedOutput()
	if err != nil {
		h.tb.Fatalf("soxi %s: %v: %s", path, err, out)
	}
	if samples := strings.TrimSpace(string(out)); samples != strconv.Itoa(len(w.Channels[0])) {
		h.tb.Fatalf("%s has %d samples, soxi says: %s", path, len(w.Channels[0]), samples)
	}
	return w
}
