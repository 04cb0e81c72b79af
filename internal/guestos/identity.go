package guestos

import (
	"crypto/ed25519"
	"encoding/base64"
	"fmt"

	"golang.org/x/crypto/ssh"
)

// Identify makes the guest another one than those of the same image; empty if its image
// has no way to do that. The key is 16 bytes of its own; its ssh server gets a key that is made
// here, at random: a guest would run programs of cryptography for that, which takes an emulated
// one longer than all else that it does when it is restored.
func (c Commands) Identify(key []byte) string {
	if c.Identity == "" {
		return ""
	}
	private, public := hostKey()
	return call(c.Identity, fmt.Sprintf("%x", key), private, public)
}

// hostKey makes a pair of keys for an ssh server, in OpenSSH's format without its frames: base64 in one line.
func hostKey() (private, public string) {
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		panic(err) // the source of randomness never fails
	}
	block, err := ssh.MarshalPrivateKey(key, "")
	if err != nil {
		panic(err) // it is of a kind that there is
	}
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		panic(err)
	}
	return base64.StdEncoding.EncodeToString(block.Bytes), base64.StdEncoding.EncodeToString(signer.PublicKey().Marshal())
}
