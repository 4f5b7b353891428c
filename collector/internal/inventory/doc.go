// Package inventory holds the declared list of AI (inventory/v1) and the
// directory of people and hosts (directory/v1): their Go types, strict YAML and
// tolerant CSV in, YAML, CSV and canonical JSON out, semantic checks, and the
// dry-run diff that precedes every import.
//
// It is pure: bytes in, values out. It reads no file, no clock and no database,
// starts no goroutine and writes no log. It may import signatures/strictyaml,
// the YAML and JCS libraries and the standard library. It does not decide
// verdicts (package reconcile) and keeps no history (package state).
//
// Every document is held in one normal form, made by Normalize: defaults filled
// in, entries in id order, empty lists absent. The SHA-256 of that form's
// canonical JSON (RFC 8785) identifies a revision, so neither the order of the
// entries nor how they are spread over files makes a new one.
//
// Three places go beyond the letter of the specification, because reconciling
// needs them: a match item may name a provider or a publisher (the two broadest
// levels of specificity), a scope may name accounts, and an entry has notes and
// extra, where the CSV columns of these names are kept.
package inventory
