package main

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"hash/crc32"
	"io"
	"os"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// forge is a command of scripts: it makes of a submission what a dishonest or hostile student
// might hand in.
//
//	forge edited IN OUT OLD NEW   its claim says NEW for every OLD
//	forge cut IN OUT              it ends in the middle
//	forge escaping IN OUT         it has a file of the name ../../escaped
//	forge huge IN OUT             it has a file of 512 MiB, in half a megabyte
func forge(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: forge edited|cut|escaping|huge IN OUT [OLD NEW]")
	}
	data, err := os.ReadFile(ts.MkAbs(args[1]))
	ts.Check(err)
	if args[0] != "cut" {
		data, err = forged(data, args[0], args[3:])
		ts.Check(err)
	} else {
		data = data[:len(data)/2]
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[2]), data, 0o644))
}

func forged(data []byte, kind string, words []string) ([]byte, error) {
	old, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for _, f := range old.File {
		if kind != "edited" || f.Name != "claim.json" {
			if err := w.Copy(f); err != nil {
				return nil, err
			}
			continue
		}
		r, err := f.Open()
		if err != nil {
			return nil, err
		}
		claim, err := io.ReadAll(r)
		if err != nil {
			return nil, err
		}
		to, err := w.Create(f.Name)
		if err != nil {
			return nil, err
		}
		if _, err := io.WriteString(to, strings.ReplaceAll(string(claim), words[0], words[1])); err != nil {
			return nil, err
		}
	}
	switch kind {
	case "escaping":
		if _, err := w.Create("../../escaped"); err != nil {
			return nil, err
		}
	case "huge":
		if err := addZeros(w, "events/2.jsonl", 512); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// addZeros adds a file of so many MiB of zeros. It packs one of them, and says that again and again, since to pack all
// takes the race detector twenty seconds.
func addZeros(w *zip.Writer, name string, mebibytes int) error {
	block := make([]byte, 1<<20)
	var packed bytes.Buffer
	f, err := flate.NewWriter(&packed, flate.BestSpeed)
	if err != nil {
		return err
	}
	f.Write(block)
	f.Flush() // to a byte's end, and nothing after it needs what is before
	one := bytes.Clone(packed.Bytes())
	packed.Reset()
	f.Close()
	sum := crc32.NewIEEE()
	for range mebibytes {
		sum.Write(block)
	}
	all := append(bytes.Repeat(one, mebibytes), packed.Bytes()...)
	to, err := w.CreateRaw(&zip.FileHeader{
		Name: name, Method: zip.Deflate, CRC32: sum.Sum32(),
		CompressedSize64: uint64(len(all)), UncompressedSize64: uint64(mebibytes) << 20,
	})
	if err != nil {
		return err
	}
	_, err = to.Write(all)
	return err
}
