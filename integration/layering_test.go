package integration

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/gnomon-ai/gnomon/"

// rule says what one package may import.
type rule struct {
	// ours lists the packages of this module, relative to its root; a final
	// "/..." takes all below. Everything may import nothing of ours by default.
	ours []string
	// foreign lists the import path prefixes of other modules, beside the
	// standard library.
	foreign []string
}

// everywhere are the forbidden imports below a folder, each with its reason.
func everywhere() []struct{ below, forbidden, reason string } {
	return []struct{ below, forbidden, reason string }{
		{"agent", "os/exec", "the agent never runs another program"},
		{"agent", "google.golang.org/grpc", "the agent speaks OTLP over HTTP and links as little as it can"},
		{"agent", "github.com/ClickHouse", "the agent knows no database"},
		{"agent", "github.com/google/gopacket/layers", "its decoders panic on malformed input: they never see a packet"},
		{"", "unsafe", "only where a system call needs it, see unsafeAllowed"},
		{"", "reflect", "only where data of any shape is decoded, see reflectAllowed"},
	}
}

// excused lists the packages that may use what everywhere forbids.
func excused() map[string][]string {
	return map[string][]string{
		"unsafe":  unsafeAllowed(),
		"reflect": reflectAllowed(),
	}
}

type sourceFile struct {
	name string
	test bool
	ast  *ast.File
}

// readPackages parses the imports of every Go file in the tree, by folder.
func readPackages(t *testing.T) map[string][]sourceFile {
	t.Helper()
	packages := map[string][]sourceFile{}
	set := token.NewFileSet()
	err := filepath.WalkDir("..", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		base := entry.Name()
		if entry.IsDir() && name != ".." && (strings.HasPrefix(base, ".") || base == "testdata" || base == "node_modules" || base == "bin" || base == "dist") {
			return filepath.SkipDir
		}
		if entry.IsDir() || !strings.HasSuffix(base, ".go") {
			return nil
		}
		file, err := parser.ParseFile(set, name, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		folder, err := filepath.Rel("..", filepath.Dir(name))
		if err != nil {
			return err
		}
		folder = filepath.ToSlash(folder)
		packages[folder] = append(packages[folder], sourceFile{base, strings.HasSuffix(base, "_test.go"), file})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return packages
}

func imports(file *ast.File) []string {
	var list []string
	for _, spec := range file.Imports {
		if importPath, err := strconv.Unquote(spec.Path.Value); err == nil {
			list = append(list, importPath)
		}
	}
	return list
}

// TestLayering holds every import of product code against the rules, and fails
// on a package that has none.
func TestLayering(t *testing.T) {
	packages := readPackages(t)
	table := rules()
	for folder, files := range packages {
		if !hasProduct(files) {
			continue
		}
		r, known := table[folder]
		if !known {
			t.Errorf("package %s has no layering rule: add one to rules() in integration/rules_test.go", folder)
			continue
		}
		for _, file := range files {
			if file.test {
				continue
			}
			for _, importPath := range imports(file.ast) {
				if problem := r.check(folder, importPath); problem != "" {
					t.Errorf("%s/%s imports %s: %s", folder, file.name, importPath, problem)
				}
			}
		}
	}
	for folder := range table {
		if !hasProduct(packages[folder]) {
			t.Errorf("rules() names %s, which holds no Go code", folder)
		}
	}
}

func hasProduct(files []sourceFile) bool {
	return slices.ContainsFunc(files, func(f sourceFile) bool { return !f.test })
}

func (r rule) check(folder, importPath string) string {
	for _, ban := range everywhere() {
		below := ban.below == "" || folder == ban.below || strings.HasPrefix(folder, ban.below+"/")
		if below && within(importPath, ban.forbidden) && !slices.Contains(excused()[ban.forbidden], folder) {
			return ban.reason
		}
	}
	if ours, isOurs := strings.CutPrefix(importPath, module); isOurs {
		if slices.ContainsFunc(r.ours, func(allowed string) bool {
			if tree, isTree := strings.CutSuffix(allowed, "/..."); isTree {
				return within(ours, tree)
			}
			return ours == allowed
		}) {
			return ""
		}
		return "not among the packages that " + folder + " may know"
	}
	if !strings.Contains(strings.SplitN(importPath, "/", 2)[0], ".") {
		return "" // standard library
	}
	if slices.ContainsFunc(r.foreign, func(prefix string) bool { return within(importPath, prefix) }) {
		return ""
	}
	return "not among the modules that " + folder + " may use"
}

// within holds for tree itself and for what lies below it.
func within(importPath, tree string) bool {
	return importPath == tree || strings.HasPrefix(importPath, tree+"/")
}

// TestHouseRules holds every product file against the rules that imports do
// not show.
func TestHouseRules(t *testing.T) {
	for folder, files := range readPackages(t) {
		documented := false
		for _, file := range files {
			documented = documented || (!file.test && file.ast.Doc != nil)
			if file.test || ast.IsGenerated(file.ast) {
				continue
			}
			for _, declaration := range file.ast.Decls {
				if f, isFunc := declaration.(*ast.FuncDecl); isFunc && f.Recv == nil && f.Name.Name == "init" {
					t.Errorf("%s/%s has an init function: wire by hand in main", folder, file.name)
				}
			}
		}
		generated := slices.ContainsFunc(files, func(f sourceFile) bool { return ast.IsGenerated(f.ast) })
		if hasProduct(files) && !documented && !generated {
			t.Errorf("package %s has no package comment", folder)
		}
		if base := path.Base(folder); slices.Contains([]string{"utils", "util", "common", "helpers", "misc"}, base) {
			t.Errorf("package %s is named after nothing", folder)
		}
	}
}

// TestRulesBite proves that a violation would be seen.
func TestRulesBite(t *testing.T) {
	r := rule{ours: []string{"signatures", "proto/..."}, foreign: []string{"golang.org/x/net"}}
	f := func(folder, importPath string, allowed bool) {
		t.Helper()
		if problem := r.check(folder, importPath); (problem == "") != allowed {
			t.Errorf("%s importing %s: %q", folder, importPath, problem)
		}
	}
	f("agent/internal/x", "net/http", true)
	f("agent/internal/x", module+"signatures", true)
	f("agent/internal/x", module+"proto/finding", true)
	f("agent/internal/x", module+"signatures/pack", false)
	f("agent/internal/x", module+"collector/internal/store", false)
	f("agent/internal/x", "golang.org/x/net/bpf", true)
	f("agent/internal/x", "golang.org/x/netz", false)
	f("agent/internal/x", "os/exec", false)
	f("collector/internal/x", "os/exec", true)
	f("agent/internal/x", "unsafe", false)
}
