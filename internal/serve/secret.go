package serve

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/renameio/v2"
)

// Secret returns the secret that is kept in a folder, and makes one where there is none:
// browsers that were let in come in again when the server was started anew. One that
// others could read is replaced.
func Secret(folder string) (string, error) {
	file := filepath.Join(folder, "serve.secret")
	info, err := os.Stat(file)
	if err == nil && info.Mode().Perm()&0o077 == 0 {
		data, err := os.ReadFile(file)
		if err != nil {
			return "", fmt.Errorf("read the secret: %w", err)
		}
		if secret := strings.TrimSpace(string(data)); len(secret) >= len(rand.Text()) {
			return secret, nil
		}
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("read the secret: %w", err)
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return "", fmt.Errorf("keep the secret: %w", err)
	}
	os.Remove(file) // else the new one would get its permissions
	secret := rand.Text()
	if err := renameio.WriteFile(file, []byte(secret+"\n"), 0o600); err != nil {
		return "", fmt.Errorf("keep the secret: %w", err)
	}
	return secret, nil
}
