// Package store keeps what grows in ClickHouse: findings, coverage, verdicts
// and their changes; usage is read from findings.
//
// It is the only package that imports a ClickHouse driver. Beside that it
// imports proto/finding and the standard library. It works the same over the
// embedded engine (Options.Dial) and over a server (Options.DSN). It does not
// decide a verdict, does not cache and keeps no queue: a call that returned nil
// is durable, one that returned an error is the caller's to repeat. Every
// write may be repeated: it lands on the same rows.
//
// Usage (asset x host x user x day) has no table of its own. It is grouped
// from findings on every read, with FINAL, so a window that was sent twice or
// flushed again with a higher revision counts once, and a revision that names
// another user or host moves the whole usage. What a summing view would keep
// doubled after a repeat, this cannot. Lists and counts for screens read
// verdicts, which has one row a usage.
package store
