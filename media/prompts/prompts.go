// Package prompts owns what the hotline says and plays: Mandarin prompts that are built in, and the
// operator's own recordings in their place, prompt by prompt. Package cmd makes the one [Set]; packages
// call and ivr use it through their ports (call.Prompts, ivr.Prompts).
//
// The built-in ones are zh/NAME.wav, made by make.sh from the table prompts.tsv (name, Chinese text,
// pinyin). A file <folder>/<language>/<name>.wav of the operator replaces the prompt of that name, or adds
// one.
//
// Goroutines: a Set never changes once it is made, so everybody may use it at the same time.
package prompts

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"go.uber.org/zap"

	"hotline/media"
)

//go:embed zh/*.wav
var builtIn embed.FS

// DefaultLanguage is the one that is built in.
const DefaultLanguage = "zh"

const extension = ".wav"

// loops are the prompts that are played again and again until something else is to be heard.
var loops = map[string]bool{"hold-music": true}

var languagePattern = regexp.MustCompile(`^[A-Za-z0-9]+(-[A-Za-z0-9]+)*$`)

// ErrBadLanguage says that the language is no tag of letters, digits and hyphens (as in BCP 47).
var ErrBadLanguage = errors.New("prompts: not the name of a language")

// ErrNone says that the language has no prompt at all.
var ErrNone = errors.New("prompts: no prompt of this language")

// errEmpty: a file that plays nothing.
var errEmpty = errors.New("no audio in it")

// Options of a Set.
type Options struct {
	// Folder holds the operator's own prompts as <folder>/<language>/<name>.wav. Empty, or without a
	// folder for the language, means there are none.
	Folder string
	// Language of the service; empty means DefaultLanguage.
	Language string
	// Fallback has what the language has not; nil: nothing has.
	Fallback *Set
	// Logger; nil is silent.
	Logger *zap.Logger
}

// Set is all prompts of one language, ready to be played. It implements call.Prompts.
type Set struct {
	language string
	clips    map[string]media.Clip
}

// New reads the built-in prompts of the language and then the operator's. Every file that cannot be
// played is reported, all at once, each by its path and what is wrong with it; see [media.ReadWAV] for
// what can be played. Other errors: ErrBadLanguage; the system's when the folder cannot be read; ErrNone.
func New(o Options) (*Set, error) {
	if o.Language == "" {
		o.Language = DefaultLanguage
	}
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	if !languagePattern.MatchString(o.Language) {
		return nil, fmt.Errorf("%q: %w", o.Language, ErrBadLanguage)
	}
	s := &Set{language: o.Language, clips: map[string]media.Clip{}}
	if err := s.readBuiltIn(); err != nil {
		return nil, err
	}
	if o.Folder != "" {
		// A folder that is named must be there: its name may be mistyped. One for the language need not.
		if _, err := os.Stat(o.Folder); err != nil {
			return nil, fmt.Errorf("folder of own prompts: %w", err)
		}
		if err := s.readFolder(filepath.Join(o.Folder, o.Language), o.Logger); err != nil {
			return nil, err
		}
	}
	if len(s.clips) == 0 {
		return nil, fmt.Errorf("prompts of language %s: none built in, and none in folder %q: %w",
			s.language, o.Folder, ErrNone)
	}
	if o.Fallback != nil {
		for name, clip := range o.Fallback.clips {
			if !s.Has(name) {
				s.clips[name] = clip
			}
		}
	}
	return s, nil
}

func (s *Set) readBuiltIn() error {
	names, err := fs.Glob(builtIn, s.language+"/*"+extension)
	if err != nil {
		return fmt.Errorf("built-in prompts: %w", err)
	}
	for _, name := range names {
		if err := s.read(builtIn, name); err != nil {
			return fmt.Errorf("built-in prompt %s: %w", name, err)
		}
	}
	return nil
}

// readFolder reads the operator's files. Hidden ones are passed over, other kinds are warned of: somebody
// put them there to be heard.
func (s *Set) readFolder(folder string, log *zap.Logger) error {
	files, err := os.ReadDir(folder)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		log.Debug("no own prompts", zap.String("folder", folder))
		return nil
	case err != nil:
		return fmt.Errorf("read own prompts: %w", err)
	}
	var errs []error
	for _, f := range files {
		switch name := f.Name(); {
		case strings.HasPrefix(name, "."):
		case f.IsDir() || path.Ext(name) != extension:
			log.Warn("not a "+extension+" file: not used as a prompt", zap.String("file", filepath.Join(folder, name)))
		default:
			if err := s.read(os.DirFS(folder), name); err != nil {
				errs = append(errs, fmt.Errorf("prompt %s: %w", filepath.Join(folder, name), err))
			}
		}
	}
	return errors.Join(errs...)
}

// read adds one file, or puts it in the place of what had its name.
func (s *Set) read(tree fs.FS, file string) (err error) {
	f, err := tree.Open(file)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	clip, err := media.ReadWAV(f)
	if err != nil {
		return err
	}
	if len(clip.ALaw) == 0 {
		return errEmpty
	}
	clip.Name = strings.TrimSuffix(path.Base(file), extension)
	clip.Loop = loops[clip.Name]
	s.clips[clip.Name] = clip
	return nil
}

// Has reports whether there is a prompt of that name.
func (s *Set) Has(name string) bool {
	_, ok := s.clips[name]
	return ok
}

// Missing returns those of names that there is no prompt of, each once, in their order: what is said
// whatever the configuration is can be looked for before the first call.
func (s *Set) Missing(names ...string) []string {
	var missing []string
	for _, name := range names {
		if !s.Has(name) && !slices.Contains(missing, name) {
			missing = append(missing, name)
		}
	}
	return missing
}

// Clip returns a prompt's audio. It wraps fs.ErrNotExist if there is none of that name; the error leaves
// the name to who asked, who has it.
func (s *Set) Clip(name string) (media.Clip, error) {
	clip, ok := s.clips[name]
	if !ok {
		return media.Clip{}, fmt.Errorf("none of that name in language %s: %w", s.language, fs.ErrNotExist)
	}
	return clip, nil
}

// Digits speaks a number character by character, 1 as yāo, as numbers are read in Chinese: clips digit-0
// to digit-9 and letter-a to letter-z, capitals alike. What is neither, or has no clip in this language,
// is left out: hyphens and blanks are not spoken.
func (s *Set) Digits(number string) []media.Clip {
	return s.spoken(DigitNames(number))
}

// DigitNames are the prompts that Digits speaks a number with, for [Set.Missing]; what is neither digit nor
// letter has none.
func DigitNames(number string) []string {
	names := make([]string, 0, len(number))
	for _, c := range strings.ToLower(number) {
		switch {
		case c >= '0' && c <= '9':
			names = append(names, "digit-"+string(c))
		case c >= 'a' && c <= 'z':
			names = append(names, "letter-"+string(c))
		}
	}
	return names
}
