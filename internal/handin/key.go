package handin

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
)

// Keys are PEM, as openssl reads and makes them: `openssl genpkey -algorithm ed25519`.
const privateType, publicType = "PRIVATE KEY", "PUBLIC KEY"

// NewKey makes a key for signing and writes it into a file that only its owner can read, and
// what proves its signatures beside it, as FILE.pub. Neither may be there yet.
func NewKey(file string) error {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return err
	}
	open, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return err
	}
	if err := writeKey(file, privateType, secret, 0o600); err != nil {
		return err
	}
	if err := writeKey(file+".pub", publicType, open, 0o644); err != nil {
		os.Remove(file)
		return err
	}
	return nil
}

func writeKey(file, kind string, content []byte, mode os.FileMode) (err error) {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return fmt.Errorf("make a key: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return pem.Encode(f, &pem.Block{Type: kind, Bytes: content})
}

// SigningKey reads the private key of a file.
func SigningKey(file string) (ed25519.PrivateKey, error) {
	return readKey[ed25519.PrivateKey](file, privateType, x509.ParsePKCS8PrivateKey)
}

// PublicKey reads the public key of a file.
func PublicKey(file string) (ed25519.PublicKey, error) {
	return readKey[ed25519.PublicKey](file, publicType, x509.ParsePKIXPublicKey)
}

func readKey[K any](file, kind string, parse func([]byte) (any, error)) (key K, err error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return key, fmt.Errorf("read the key: %w", err)
	}
	block, _ := pem.Decode(text)
	if block == nil || block.Type != kind {
		return key, fmt.Errorf("read the key %s: it is no %q in PEM: `labrun submit --new-key FILE` makes one, and FILE.pub beside it", file, kind)
	}
	parsed, err := parse(block.Bytes)
	if err != nil {
		return key, fmt.Errorf("read the key %s: %w", file, err)
	}
	key, ok := parsed.(K)
	if !ok {
		return key, fmt.Errorf("read the key %s: it is no ed25519 key", file)
	}
	return key, nil
}
