// Command compile writes the embedded catalogue in the form that the programs
// read fastest, beside the YAML that it is made from. `make build` runs it.
//
// It may import signatures and its packages. It decides nothing: a catalogue that
// has a problem is not written.
package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"

	"github.com/gnomon-ai/gnomon/signatures/catalogue"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "compile:", err)
		os.Exit(1)
	}
}

func run(arguments []string) error {
	if len(arguments) != 1 {
		return fmt.Errorf("usage: compile FOLDER, the folder of the catalogue's YAML files")
	}
	folder := arguments[0]
	data, err := catalogue.Pack(os.DirFS(folder))
	if err != nil {
		return err
	}
	path := filepath.Join(folder, filepath.FromSlash(catalogue.CompiledFile))
	if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, data) {
		return nil // left alone, so that nothing is built again
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("writing the compiled catalogue: %w", err)
	}
	if err := os.WriteFile(path+".new", data, 0o644); err != nil {
		return fmt.Errorf("writing the compiled catalogue: %w", err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return fmt.Errorf("writing the compiled catalogue: %w", err)
	}
	return nil
}
