// Package reconcile computes verdicts: it holds one usage against an inventory
// and says whether it is sanctioned, out of scope, expired, prohibited,
// unsanctioned or unknown, and why.
//
// It is pure: no clock, no I/O, no log, no goroutine; the same inputs give the
// same verdict, reason and walk. The time of judgement is the time of the usage.
// It may import package inventory and the standard library. It decides nothing
// that people decide (dispositions), folds no findings and loads no history:
// the caller hands over the inventory and the directory facts that were in
// force at the time.
//
// # How a verdict comes about
//
// Compile puts every match item of every entry into one index under its most
// telling key. Judge looks up the keys of the usage, verifies each item found,
// and walks the entries that match by level, the specificity of their best
// matching item, from high to low. Where the specification names no number for
// a rule, the nearest one it names is used: a glob over model names, software
// names or extension ids, and a software name or extension id that stands
// without its publisher or store, count as a glob (30); a model format, a model
// licence or a store alone counts 5, below everything else.
//
// # Order inside one level
//
// Entries of one level are taken in this order, so that the order of the
// inventory never matters: bans; grants with nothing unverified; grants with
// unverified dimensions, fewest first; scope mismatches, fewest dimensions
// first; retired entries; grants not live, by reason (validity_ended,
// not_yet_valid, review_overdue, contract_lapsed); grants under a ceiling;
// proposals; then by id. A ceiling acts on the levels below the one that
// raised it. What is remembered is the first of its kind.
//
// A ban has neither scope nor validity: it holds for everyone, always. A grant
// under a ceiling that is in scope and live is touched and does nothing.
package reconcile
