package config

import (
	"errors"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gnomon-ai/gnomon/signatures/strictyaml"
)

var update = flag.Bool("update", false, "write the error.txt of every case anew")

// open reads a configuration as serve does.
func open(file string) (Config, error) {
	config, err := Load(file)
	if err != nil {
		return config, err
	}
	if err := config.Resolve(); err != nil {
		return config, err
	}
	return config, config.Validate()
}

// TestErrors holds what each file under testdata is refused with.
func TestErrors(t *testing.T) {
	files, err := filepath.Glob("testdata/*/in.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, file := range files {
		_, err := open(file)
		if err == nil {
			t.Errorf("%s: accepted", file)
			continue
		}
		got := filepath.ToSlash(err.Error()) + "\n"
		golden := filepath.Join(filepath.Dir(file), "error.txt")
		if *update {
			if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", file, diff)
		}
	}
}

// TestErrorsHaveAPlace holds for what the parser finds: the file, the line and
// the key.
func TestErrorsHaveAPlace(t *testing.T) {
	for file, want := range map[string]strictyaml.Problem{
		"unknown_key":        {Line: 2, Column: 1, Key: "clickhose"},
		"unknown_nested_key": {Line: 3, Column: 5, Key: "judge.verdicts.min_confidense"},
		"wrong_type":         {Line: 2, Column: 16, Key: "receive.max_records"},
		"bad_duration":       {Line: 1, Column: 19, Key: "shutdown_timeout"},
		"duplicate_key":      {Line: 2, Column: 1, Key: "data_dir"},
	} {
		want.File = filepath.Join("testdata", file, "in.yaml")
		_, err := Load(want.File)
		var problems strictyaml.Errors
		if !errors.As(err, &problems) || len(problems) != 1 {
			t.Errorf("%s: %v, want one problem", file, err)
			continue
		}
		got := problems[0]
		got.Message = ""
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", file, diff)
		}
	}
}

func TestDefault(t *testing.T) {
	t.Setenv("STATE_DIRECTORY", t.TempDir())
	config, err := open("")
	if err != nil {
		t.Fatal(err)
	}
	if want := filepath.Join(os.Getenv("STATE_DIRECTORY"), "engine"); config.Engine.DataDir != want {
		t.Errorf("the engine's data lies in %s, want %s", config.Engine.DataDir, want)
	}
	for key, address := range map[string]string{"grpc": config.Receive.GRPC, "http": config.Receive.HTTP, "api": config.API.Listen} {
		if !strings.HasPrefix(address, "127.0.0.1:") {
			t.Errorf("%s listens on %s by default", key, address)
		}
	}
}

func TestExample(t *testing.T) {
	t.Setenv("STATE_DIRECTORY", "/var/lib/gnomon-collector")
	config, err := open(filepath.Join("..", "..", "..", "deploy", "examples", "collector.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if config.DataDir != "/var/lib/gnomon-collector" || config.Judge.Verdicts.ReviewGrace != 720*time.Hour {
		t.Errorf("read as %s, %s", config.DataDir, config.Judge.Verdicts.ReviewGrace)
	}
	// What the example shows is the default: it is there to be changed.
	if diff := cmp.Diff(Default().API, config.API); diff != "" {
		t.Errorf("the API of the example is not the default (-default +example):\n%s", diff)
	}
}

func TestDefaultDataDir(t *testing.T) {
	for _, c := range []struct{ state, xdg, home, want string }{
		{"/var/lib/gnomon", "/xdg", "/home/ana", "/var/lib/gnomon"},
		{"", "/xdg", "/home/ana", "/xdg/gnomon/collector"},
		{"", "", "/home/ana", "/home/ana/.local/share/gnomon/collector"},
		{"", "", "", "gnomon-data"},
	} {
		t.Setenv("STATE_DIRECTORY", c.state)
		t.Setenv("XDG_DATA_HOME", c.xdg)
		t.Setenv("HOME", c.home)
		if got := filepath.ToSlash(DefaultDataDir()); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
}

func TestResolve(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	secret, empty := filepath.Join(dir, "dsn"), filepath.Join(dir, "empty")
	for file, text := range map[string]string{secret: "clickhouse://gnomon:secret@db1:9000/gnomon\n", empty: " \n"} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	config := Default()
	config.DataDir, config.ClickHouseFile = "data", secret
	config.Engine.Isolation = "nonsense" // no engine runs
	if err := config.Resolve(); err != nil {
		t.Fatal(err)
	}
	if err := config.Validate(); err != nil {
		t.Errorf("the engine's settings matter though none runs: %v", err)
	}
	if config.ClickHouse != "clickhouse://gnomon:secret@db1:9000/gnomon" {
		t.Errorf("clickhouse is %q", config.ClickHouse)
	}
	if !filepath.IsAbs(config.DataDir) || filepath.Base(config.DataDir) != "data" {
		t.Errorf("data_dir is %s, want it absolute", config.DataDir)
	}

	config = Default()
	config.DataDir, config.Engine.DataDir = dir, filepath.Join(dir, "elsewhere")
	if err := config.Resolve(); err != nil || config.Engine.DataDir != filepath.Join(dir, "elsewhere") {
		t.Errorf("engine.data_dir became %s, %v", config.Engine.DataDir, err)
	}

	config = Default()
	config.ClickHouseFile = empty
	if err := config.Resolve(); err == nil || !strings.Contains(err.Error(), "empty") {
		t.Errorf("an empty clickhouse_file: %v: an embedded engine would start unasked", err)
	}
	config.ClickHouseFile = filepath.Join(dir, "none")
	if err := config.Resolve(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing clickhouse_file: %v", err)
	}
	if _, err := Load(filepath.Join(dir, "none.yaml")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing configuration: %v", err)
	}
	if err := (&Config{}).Validate(); err == nil || !strings.Contains(err.Error(), "data_dir: must be set") {
		t.Errorf("no data_dir: %v", err)
	}
}
