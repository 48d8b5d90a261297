package config

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
)

// masked is all that anybody sees of a secret who does not ask for it with Reveal.
const masked = "***"

// maxSecret bounds a secret, and the file that holds one, in bytes.
const maxSecret = 4 << 10

// Secret is a password or token. However it is formatted, marshalled or logged, it shows as ***.
type Secret struct{ value string }

// Reveal returns the secret itself. What it returns must not be logged.
func (s Secret) Reveal() string { return s.value }

// String masks the secret.
func (s Secret) String() string { return masked }

// GoString masks the secret.
func (s Secret) GoString() string { return masked }

// Format masks the secret, whatever the verb and flags: it is what package fmt asks first.
func (s Secret) Format(f fmt.State, _ rune) {
	// Format cannot return an error; fmt's State keeps none either.
	_, _ = io.WriteString(f, masked)
}

// MarshalText masks the secret in JSON, YAML and XML.
func (s Secret) MarshalText() ([]byte, error) { return []byte(masked), nil }

// LogValue masks the secret in slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(masked) }

// errUnset: the file names no secret, or an environment variable that is unset or empty.
var errUnset = errors.New("not set")

// resolveSecret returns what a secret's text in the file stands for: ${NAME} the environment, file:PATH
// the file's content without the line's end, anything else itself. No error tells a secret.
func resolveSecret(text string, env func(string) (string, bool)) (string, error) {
	value := text
	switch name, isEnv := envName(text); {
	case isEnv:
		value, _ = env(name)
	case strings.HasPrefix(text, "file:"):
		var err error
		if value, err = readSecretFile(strings.TrimPrefix(text, "file:")); err != nil {
			return "", err
		}
	case strings.Contains(text, "${"):
		return "", errors.New("${NAME} is only a part of it; the whole must come from the environment")
	}
	if value == "" {
		return "", errUnset
	}
	if len(value) > maxSecret {
		return "", fmt.Errorf("longer than %d bytes", maxSecret)
	}
	// Neither a softphone's form nor an HTTP header carries these.
	if strings.ContainsFunc(value, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		return "", errors.New("it contains a space or control character")
	}
	return value, nil
}

// envName returns the NAME of ${NAME}.
func envName(text string) (string, bool) {
	name, ok := strings.CutPrefix(text, "${")
	if !ok {
		return "", false
	}
	name, ok = strings.CutSuffix(name, "}")
	return name, ok && envShape.re.MatchString(name)
}

func readSecretFile(path string) (_ string, err error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("secret cannot be read: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	data, err := io.ReadAll(io.LimitReader(f, maxSecret+2))
	if err != nil {
		return "", fmt.Errorf("secret cannot be read: %w", err)
	}
	return strings.TrimRight(string(data), "\r\n"), nil
}

// randomToken makes a token of 128 bits as 32 hexadecimal digits.
func randomToken() (Secret, error) {
	var b [16]byte
	if _, err := rand.Read(b[:]); err != nil {
		return Secret{}, fmt.Errorf("making a random token: %w", err)
	}
	return Secret{hex.EncodeToString(b[:])}, nil
}
