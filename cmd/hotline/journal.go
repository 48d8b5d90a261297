package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/coreos/go-systemd/v22/journal"
	"go.uber.org/zap/buffer"
	"go.uber.org/zap/zapcore"
)

// toJournal reports whether what is written to w is read by systemd's journal, which says so by JOURNAL_STREAM (systemd.exec(5)):
// the device and inode of the standard error that it gave us. A child of such a process may have the variable and another stream.
// A variable that makes no sense is none.
func toJournal(w io.Writer) bool {
	if w != io.Writer(os.Stderr) {
		return false
	}
	is, err := journal.StderrIsJournalStream()
	return is && err == nil
}

// priority is what the journal takes a line to be that begins with it, as sd-daemon(3) has it.
func priority(p journal.Priority) string { return fmt.Sprintf("<%d>", p) }

// priorities are those of the levels: `journalctl -p warning` shows what is of level warn or above.
var priorities = map[zapcore.Level]string{
	zapcore.DebugLevel:  priority(journal.PriDebug),
	zapcore.InfoLevel:   priority(journal.PriInfo),
	zapcore.WarnLevel:   priority(journal.PriWarning),
	zapcore.ErrorLevel:  priority(journal.PriErr),
	zapcore.DPanicLevel: priority(journal.PriCrit),
	zapcore.PanicLevel:  priority(journal.PriCrit),
	zapcore.FatalLevel:  priority(journal.PriCrit),
}

// journalEncoder writes what another does, each line with its priority. The journal takes it off again.
type journalEncoder struct{ zapcore.Encoder }

// Clone implements [zapcore.Encoder].
func (e journalEncoder) Clone() zapcore.Encoder { return journalEncoder{e.Encoder.Clone()} }

// EncodeEntry implements [zapcore.Encoder].
func (e journalEncoder) EncodeEntry(entry zapcore.Entry, fields []zapcore.Field) (*buffer.Buffer, error) {
	line, err := e.Encoder.EncodeEntry(entry, fields)
	if err != nil {
		return nil, err
	}
	text := line.String() // a copy
	line.Reset()
	line.AppendString(marked(text, priorities[entry.Level]))
	return line, nil
}

// marked is a text whose lines begin with a priority. A stack, for people, is several.
func marked(text, priority string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString(priority + line)
	}
	return b.String()
}
