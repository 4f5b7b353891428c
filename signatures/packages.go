package signatures

import (
	"fmt"
	"regexp"
	"strings"
)

// PackageRule matches an installed package by the place where its ecosystem puts
// it. On kinds that run (mcp_server, agent, app, runtime) npm, pypi and oci
// packages are also found by name on a command line: `npx -y NAME`, `uvx NAME`,
// `docker run NAME`. Container images are found by that alone.
type PackageRule struct {
	Ecosystem string `yaml:"ecosystem"` // see Ecosystems
	Name      string `yaml:"name"`      // as the registry writes it: "@anthropic-ai/sdk", "com.openai:openai-java"
}

func (r *PackageRule) text() string { return r.Ecosystem + "/" + r.Name }

// maxPackageName bounds the name of a package.
const maxPackageName = 120

// packageForms are the forms of names, by ecosystem.
var packageForms = map[string]*regexp.Regexp{
	// https://packaging.python.org/en/latest/specifications/name-normalization/#name-format
	"pypi": regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$`),
	// https://docs.npmjs.com/cli/v10/configuring-npm/package-json#name
	"npm": regexp.MustCompile(`^(@[a-z0-9~-][a-z0-9._~-]*/)?[a-z0-9~-][a-z0-9._~-]*$`),
	// https://go.dev/ref/mod#go-mod-file-ident
	"go": regexp.MustCompile(`^[a-z0-9-]+(\.[a-z0-9-]+)+(/[A-Za-z0-9._~-]+)*$`),
	// https://maven.apache.org/guides/mini/guide-naming-conventions.html
	"maven": regexp.MustCompile(`^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*:[A-Za-z0-9_.-]+$`),
	// https://learn.microsoft.com/nuget/reference/nuspec#id
	"nuget": regexp.MustCompile(`^[A-Za-z0-9_]+([._-][A-Za-z0-9_]+)*$`),
	// https://doc.rust-lang.org/cargo/reference/manifest.html#the-name-field
	"cargo": regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]{0,63}$`),
	// https://guides.rubygems.org/name-your-gem/
	"rubygems": regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]*$`),
	// https://getcomposer.org/doc/04-schema.md#name
	"packagist": regexp.MustCompile(`^[a-z0-9]([_.-]?[a-z0-9]+)*/[a-z0-9](([_.]|-{1,2})?[a-z0-9]+)*$`),
	// https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pulling-manifests
	"oci": regexp.MustCompile(`^[a-z0-9]+([._-]+[a-z0-9]+)*(/[a-z0-9]+([._-]+[a-z0-9]+)*)+$`),
}

// checkPackage says what keeps a package from being a rule.
func checkPackage(r *PackageRule) error {
	form := packageForms[r.Ecosystem]
	switch {
	case form == nil:
		return fmt.Errorf("the ecosystem %q is none of %s", r.Ecosystem, strings.Join(Ecosystems(), ", "))
	case len(r.Name) > maxPackageName || !form.MatchString(r.Name):
		return fmt.Errorf("%q is no name of a package of %s", r.Name, r.Ecosystem)
	}
	return nil
}

// packagePlaces returns the file patterns where a package lies when it is
// installed, the usual one first; fold says that case does not count there.
func packagePlaces(r *PackageRule) (places []string, fold bool) {
	name := r.Name
	switch r.Ecosystem {
	case "pypi":
		// NAME-VERSION.dist-info beside the code, runs of -_. written as "_" and
		// in lower case by newer tools, dots and capitals left by older ones:
		// https://packaging.python.org/en/latest/specifications/recording-installed-packages/#the-dist-info-directory
		// https://packaging.python.org/en/latest/specifications/binary-distribution-format/#escaping-and-unicode
		// dist-packages is Debian's: https://www.debian.org/doc/packaging-manuals/python-policy/#paths
		for _, escaped := range pythonNames(name) {
			places = append(places, "site-packages/"+escaped+"-#.dist-info", "dist-packages/"+escaped+"-#.dist-info",
				"site-packages/"+escaped+"-#.egg-info", "dist-packages/"+escaped+"-#.egg-info")
		}
		return places, true
	case "npm":
		// https://docs.npmjs.com/cli/v10/configuring-npm/folders
		return []string{"node_modules/" + name}, false
	case "go":
		return goPlaces(name), false
	case "maven":
		// ~/.m2/repository: https://maven.apache.org/repositories/layout.html
		// Gradle's cache: https://docs.gradle.org/current/userguide/directory_layout.html
		group, artifact, _ := strings.Cut(name, ":")
		return []string{
			".m2/repository/" + strings.ReplaceAll(group, ".", "/") + "/" + artifact,
			"files-2.1/" + group + "/" + artifact,
		}, false
	case "nuget":
		// Ids are in lower case there:
		// https://learn.microsoft.com/nuget/consume-packages/managing-the-global-packages-and-cache-folders
		// https://github.com/NuGet/Home/issues/2522
		return []string{".nuget/packages/" + strings.ToLower(name)}, false
	case "cargo":
		// https://doc.rust-lang.org/cargo/guide/cargo-home.html
		return []string{"registry/src/*/" + name + "-#"}, false
	case "rubygems":
		// https://guides.rubygems.org/command-reference/#gem-environment
		return []string{"gems/" + name + "-#"}, false
	case "packagist":
		// https://getcomposer.org/doc/01-basic-usage.md#installing-dependencies
		return []string{"vendor/" + name}, false
	default: // oci: images have no folder of their own
		return nil, false
	}
}

// pythonNames returns the spellings of a distribution's name in file names.
func pythonNames(name string) []string {
	name = strings.ToLower(name)
	escaped := pythonRuns.ReplaceAllString(name, "_")
	if dotted := strings.ReplaceAll(name, "-", "_"); dotted != escaped {
		return []string{escaped, dotted}
	}
	return []string{escaped}
}

var (
	pythonRuns   = regexp.MustCompile(`[-_.]+`)
	majorVersion = regexp.MustCompile(`/v[0-9]+$`)
)

// goPlaces are the folder of a module in the module cache, where capitals are
// written as "!" and the small letter (https://go.dev/ref/mod#module-cache),
// those of its later major versions, which are modules of their own
// (https://go.dev/ref/mod#major-version-suffixes), and the folder in a vendor
// directory (https://go.dev/ref/mod#vendoring).
func goPlaces(path string) []string {
	var escaped strings.Builder
	for _, c := range path {
		if c >= 'A' && c <= 'Z' {
			escaped.WriteByte('!')
			c += 'a' - 'A'
		}
		escaped.WriteRune(c)
	}
	places := []string{"pkg/mod/" + escaped.String() + "@v#", "vendor/" + path}
	if !majorVersion.MatchString(path) && !strings.HasPrefix(path, "gopkg.in/") {
		places = append(places, "pkg/mod/"+escaped.String()+"/v#@v#")
	}
	return places
}

// runs says whether a package of this kind is started by its name.
func (k AssetKind) runs() bool {
	return k == AssetMCPServer || k == AssetAgent || k == AssetApp || k == AssetRuntime
}

// compilePackage makes the file rules of a package, and the rule for command
// lines where it has one.
func compilePackage(signature int32, r *PackageRule, kind AssetKind) ([]fileRule, *argumentRule, error) {
	if err := checkPackage(r); err != nil {
		return nil, nil, err
	}
	selector := "package " + r.text()
	places, fold := packagePlaces(r)
	files := installed(signature, selector, places, fold)
	return files, packageArgument(signature, r, kind, selector), nil
}

// packageArgument returns the rule for command lines, nil where there is none.
// A name that could be a word or another's is weak.
func packageArgument(signature int32, r *PackageRule, kind AssetKind, selector string) *argumentRule {
	started := r.Ecosystem == "npm" || r.Ecosystem == "pypi" || r.Ecosystem == "oci"
	if !started || !kind.runs() || len(r.Name) < minArgument {
		return nil
	}
	strong := strings.HasPrefix(r.Name, "@") || len(r.Name) >= 8 && strings.Contains(r.Name, "-")
	rule := &ArgumentRule{Contains: r.Name, Weak: !strong}
	return &argumentRule{signature: signature, rule: rule, selector: selector, image: r.Ecosystem == "oci"}
}

// installed makes the rules for the folders of a package or extension.
func installed(signature int32, selector string, places []string, fold bool) []fileRule {
	rules := make([]fileRule, len(places))
	for i, place := range places {
		rules[i] = fileRule{signature: signature, rule: &FileRule{Path: place, Kind: "data"}, selector: selector, pattern: parseFilePattern(place), fold: fold}
	}
	return rules
}

// Places lists the file patterns that the packages and extensions of sig stand
// for, as in FileRule.Path.
func (sig *Signature) Places() []string {
	var out []string
	for i := range sig.Packages {
		places, _ := packagePlaces(&sig.Packages[i])
		out = append(out, places...)
	}
	for i := range sig.Extensions {
		out = append(out, extensionPlaces(&sig.Extensions[i])...)
	}
	return out
}

// packageExample makes the observation of an installed package, "pypi/openai".
func packageExample(text string, o Observation) (Observation, error) {
	ecosystem, name, _ := strings.Cut(text, "/")
	r := PackageRule{ecosystem, name}
	if err := checkPackage(&r); err != nil {
		return o, err
	}
	places, _ := packagePlaces(&r)
	if len(places) == 0 {
		o.Sensor, o.Kind = "process", KindProcess
		o.Process = Process{Name: "docker", Arguments: []string{"docker", "run", "-i", "--rm", name}}
		return o, nil
	}
	return placeExample(places[0], o), nil
}

// placeExample makes the observation of a file that a pattern means.
func placeExample(place string, o Observation) Observation {
	o.Sensor, o.Kind = "file", KindFile
	path := strings.NewReplacer("#", "1.2.3", "*", "any").Replace(place)
	if rest, home := strings.CutPrefix(path, "~/"); home {
		path = rest
	}
	o.File.Path = expandHome("~/"+path, o.OS)
	return o
}
