package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"go.uber.org/zap"
)

// homesKeyFile keeps the key under which passwords are marked in homesFile. It has a file of its own, so that the list of homes
// alone says nothing of them. Without it phones and trunks are strangers once, until they prove their passwords.
const homesKeyFile = "homes.key"

// homesKey is the key of this installation; it is made where there is none yet. One that cannot be read or written is a warning:
// calls do not need it. It is zero then.
func (a *app) homesKey() (key [32]byte) {
	path := filepath.Join(a.cfg.Data, homesKeyFile)
	key, err := readHomesKey(path)
	if err == nil {
		return key
	}
	if !errors.Is(err, fs.ErrNotExist) {
		a.log.Warn("phones and trunks are strangers until they prove their passwords: the key of what is known of them is replaced",
			zap.String("file", path), zap.Error(err))
	}
	_, _ = rand.Read(key[:]) // since Go 1.24 it does not fail but ends the process
	if err := replaceFile(path, key[:]); err != nil {
		a.log.Warn("after a restart phones and trunks would be strangers: the key of what is known of them cannot be written",
			zap.String("file", path), zap.Error(err))
		return [32]byte{}
	}
	return key
}

// readHomesKey reads a key. Errors: fs.ErrNotExist; those of the file; another length than a key's.
func readHomesKey(path string) (key [32]byte, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return key, err
	}
	if copy(key[:], text) != len(text) || len(text) != len(key) {
		return [32]byte{}, fmt.Errorf("not a key of %d octets", len(key))
	}
	return key, nil
}

// replaceFile writes a file that nobody else may read, whole or not at all.
func replaceFile(path string, text []byte) error {
	fresh := path + ".new"
	const owner = 0o600
	if err := os.WriteFile(fresh, text, owner); err != nil {
		return err
	}
	return os.Rename(fresh, path)
}
