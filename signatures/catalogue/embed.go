// Package catalogue holds the signatures that ship with the program: one YAML
// file a provider or product, in the form of signatures.Document. To add a
// signature, add or edit a YAML file here; no Go changes.
//
// Reading YAML takes longer than a daemon may take to start, so `make compiled`
// writes the same as an unsigned pack into the folder compiled, which is embedded
// where it is there. It is used only while it carries the digest of the very YAML
// files and Go structs of this program; else the YAML is read. The package does
// no I/O beyond its embedded files and keeps nothing.
package catalogue

import "embed"

// Files are the YAML files of this folder: the source of all the rest.
//
//go:embed *.yaml
var Files embed.FS

//go:embed all:compiled
var compiled embed.FS

// CompiledFile is where the compiled catalogue lies, in this folder.
const CompiledFile = "compiled/catalogue.pack"
