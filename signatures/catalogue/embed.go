// Package catalogue holds the signatures that ship with the program: one YAML
// file a provider or product, in the form of signatures.Document. It is data and
// nothing else: signatures.Load reads it, sigtest proves it. To add a signature,
// add or edit a YAML file here; no Go changes.
package catalogue

import "embed"

// Files are the YAML files of this folder.
//
//go:embed *.yaml
var Files embed.FS
