package config

import (
	"fmt"
	"path/filepath"
)

// PromptFinder tells which prompts there are, so that what the file names can be checked with everything
// else. It is given the operator's folder (empty: none) and the language, and returns which of names
// there is no prompt of. Its error is of the operator's own files, one line each.
type PromptFinder func(folder, language string, names ...string) (missing []string, err error)

// WantFolder is what prompts.folder is to be, for those who find that it is not.
const WantFolder = "a folder that is there, with WAV files that can be played (8 kHz, mono)"

// checkPrompts: every prompt that is named can be played, and those that are said whatever the file names
// are there in its language.
func (r *reader) checkPrompts() {
	if r.find == nil {
		return
	}
	folder, language := r.cfg.Prompts.Folder, r.cfg.Service.Language
	missing, err := r.find(folder, language)
	if err != nil {
		r.report("prompts.folder", err.Error(), WantFolder)
		return
	}
	for _, name := range missing {
		r.report("service.language", "no prompt "+quote(name)+" in this language",
			"a language that has it, or a file "+wavOf(folder, language, name))
	}
	named := func(path, name string) {
		if missing, err := r.find(folder, language, name); err == nil && len(missing) > 0 {
			r.report(path, "no prompt "+quote(name), "one that is built in, or a file "+wavOf(folder, language, name))
		}
	}
	for _, name := range sortedKeys(r.cfg.Queues) {
		path, q := keyQueues+"."+name, r.cfg.Queues[name]
		named(path+".wait_prompt", q.WaitPrompt)
		if q.Music != defaultMusic { // which is said whatever the file names
			named(path+".music", q.Music)
		}
		for i, p := range q.Prompts {
			named(fmt.Sprintf("%s.prompts[%d].prompt", path, i), p.Prompt)
		}
	}
}

func wavOf(folder, language, name string) string {
	if folder == "" {
		folder = "<prompts.folder>"
	}
	return filepath.Join(folder, language, name+".wav")
}
