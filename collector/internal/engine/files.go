package engine

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// User is the engine user of the collector.
const User = "gnomon"

// The statements the launching session runs. The quota of `default` equals
// their number, so the session uses it up and no later query as `default`
// passes.
const (
	listenStatement = "SYSTEM START LISTEN TCP"
	holdStatement   = "SELECT sleepEachRow(0.25) FROM system.numbers FORMAT Null"
	launchQueries   = 2
)

// layout names the files of an engine directory.
type layout struct{ dir string }

func (l layout) config() string      { return filepath.Join(l.dir, "config.xml") }
func (l layout) users() string       { return filepath.Join(l.dir, "users.xml") }
func (l layout) credentials() string { return filepath.Join(l.dir, "credentials.json") }
func (l layout) lock() string        { return filepath.Join(l.dir, "lock") }
func (l layout) log() string         { return filepath.Join(l.dir, "engine.log") }
func (l layout) data() string        { return filepath.Join(l.dir, "data") }
func (l layout) socket() string      { return filepath.Join(l.dir, socketName) }

const socketName = "s"

// prepare makes the directory and its data folder, readable by the owner only.
func (l layout) prepare() error {
	for _, dir := range []string{l.dir, l.data()} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return fmt.Errorf("making the engine directory: %w", err)
		}
		if err := os.Chmod(dir, 0o700); err != nil {
			return fmt.Errorf("closing the engine directory to others: %w", err)
		}
	}
	return nil
}

// newPassword is 256 random bits in hexadecimal.
func newPassword() string {
	var b [32]byte
	rand.Read(b[:]) // never fails: it ends the process instead
	return hex.EncodeToString(b[:])
}

// writePrivate replaces a file as a whole, mode 0600 from its first byte.
func writePrivate(path string, content []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

// credentials is what another process of the same user needs to attach.
type credentials struct {
	Socket   string `json:"socket"`
	User     string `json:"user"`
	Password string `json:"password"`
	PID      int    `json:"collector_pid"`
}

func (l layout) writeCredentials(c credentials) error {
	b, err := json.Marshal(c)
	if err != nil {
		return err
	}
	if err := writePrivate(l.credentials(), b); err != nil {
		return fmt.Errorf("writing the engine credentials: %w", err)
	}
	return nil
}

// writeConfig writes the server configuration and the users file for one start.
func (l layout) writeConfig(cfg Config, server bool, port int, password string) error {
	if err := writePrivate(l.config(), renderConfig(cfg, l, port)); err != nil {
		return fmt.Errorf("writing the engine configuration: %w", err)
	}
	if err := writePrivate(l.users(), renderUsers(server, password)); err != nil {
		return fmt.Errorf("writing the engine users: %w", err)
	}
	return nil
}

func renderConfig(cfg Config, l layout, port int) []byte {
	data := l.data()
	var b bytes.Buffer
	b.WriteString("<clickhouse>\n<logger><console>1</console><console_log_level>warning</console_log_level></logger>\n")
	for _, e := range []struct{ name, value string }{
		{"path", data + "/"},
		{"tmp_path", filepath.Join(data, "tmp") + "/"},
		{"user_files_path", filepath.Join(data, "user_files") + "/"},
		{"format_schema_path", filepath.Join(data, "format_schemas") + "/"},
		{"users_config", l.users()},
		{"listen_host", "127.0.0.1"},
		{"tcp_port", strconv.Itoa(port)},
		{"timezone", "UTC"},
		{"max_server_memory_usage", strconv.FormatUint(cfg.MemoryLimit, 10)},
		{"mark_cache_size", strconv.FormatUint(cfg.MarkCache, 10)},
		{"primary_index_cache_size", strconv.FormatUint(cfg.MarkCache, 10)},
		{"index_mark_cache_size", strconv.FormatUint(cfg.MarkCache/4, 10)},
		{"uncompressed_cache_size", "0"},
		{"max_connections", strconv.Itoa(cfg.MaxConnections)},
		{"max_concurrent_queries", strconv.Itoa(cfg.MaxConcurrentQueries)},
		{"background_pool_size", strconv.Itoa(cfg.BackgroundPool)},
		{"background_merges_mutations_concurrency_ratio", "2"},
		{"background_schedule_pool_size", "8"},
		{"background_common_pool_size", "2"},
		{"background_move_pool_size", "1"},
		{"background_fetches_pool_size", "1"},
		{"tables_loader_foreground_pool_size", "2"},
		{"tables_loader_background_pool_size", "2"},
	} {
		b.WriteString("<" + e.name + ">")
		_ = xml.EscapeText(&b, []byte(e.value)) // a bytes.Buffer takes every write
		b.WriteString("</" + e.name + ">\n")
	}
	b.WriteString("</clickhouse>\n")
	return b.Bytes()
}

// renderUsers gives the collector's user all it needs in the database and no
// way out of it (no file, url, remote, executable; no access management). The
// library needs `default` for its launching session; a server has none.
func renderUsers(server bool, password string) []byte {
	sum := sha256.Sum256([]byte(password))
	grants := []string{
		"GRANT SELECT, INSERT, ALTER, CREATE, DROP, TRUNCATE, OPTIMIZE, SHOW, KILL QUERY, SYSTEM, BACKUP, dictGet ON *.*",
	}
	for _, family := range []string{"", "Replacing", "Aggregating", "Summing"} {
		grants = append(grants, "GRANT TABLE ENGINE ON "+family+"MergeTree")
		if server {
			grants = append(grants, "GRANT TABLE ENGINE ON Replicated"+family+"MergeTree")
		}
	}
	var b strings.Builder
	b.WriteString("<clickhouse>\n")
	b.WriteString("<profiles><default><async_insert>0</async_insert></default>")
	if !server {
		b.WriteString("<launch><max_block_size>1</max_block_size>" +
			"<function_sleep_max_microseconds_per_block>0</function_sleep_max_microseconds_per_block>" +
			"<max_memory_usage>50000000</max_memory_usage><max_threads>1</max_threads>" +
			"<constraints><max_block_size><readonly/></max_block_size><max_memory_usage><readonly/></max_memory_usage>" +
			"<max_threads><readonly/></max_threads></constraints></launch>")
	}
	b.WriteString("</profiles>\n<quotas><default/>")
	if !server {
		// No <keyed/>: the quota counts by user name, so no client-sent quota
		// key starts a fresh one. The interval is 32-bit and ends in 2033; a
		// restart begins it anew, with the launching session first in line.
		fmt.Fprintf(&b, "<launch><interval><duration>1000000000</duration><queries>%d</queries></interval></launch>", launchQueries)
	}
	b.WriteString("</quotas>\n<users>\n")
	if !server {
		b.WriteString("<default><no_password/><networks><ip>127.0.0.1</ip></networks><profile>launch</profile><quota>launch</quota>" +
			"<grants><query>GRANT SYSTEM LISTEN ON *.*</query><query>GRANT SELECT ON system.numbers</query></grants></default>\n")
	}
	fmt.Fprintf(&b, "<%s><password_sha256_hex>%x</password_sha256_hex><networks><ip>127.0.0.1</ip></networks>"+
		"<profile>default</profile><quota>default</quota><grants>", User, sum)
	for _, g := range grants {
		b.WriteString("<query>" + g + "</query>")
	}
	fmt.Fprintf(&b, "</grants></%s>\n</users>\n</clickhouse>\n", User)
	return []byte(b.String())
}
