package testkit

import (
	"os"
	"os/exec"
	"strings"
)

// Edit replaces text in the hotline's configuration, which it reads at its next start or reload.
func (h *Hotline) Edit(old, with string) {
	h.tb.Helper()
	if !strings.Contains(h.text, old) {
		h.tb.Fatalf("the configuration has no %q", old)
	}
	h.text = strings.ReplaceAll(h.text, old, with)
	if err := os.WriteFile(h.config, []byte(h.text), configPermission); err != nil {
		h.tb.Fatalf("write the configuration: %v", err)
	}
}

// Command is one of the program's commands, of the hotline's own configuration: what a person at this machine types.
func (h *Hotline) Command(args ...string) *exec.Cmd {
	h.tb.Helper()
	return exec.CommandContext(h.tb.Context(), h.binary, append(args, "--config", h.config)...)
}
