package sigtest

import (
	_ "embed"
	"fmt"
	"strings"

	"github.com/gnomon-ai/gnomon/signatures"
)

//go:embed benign.txt
var benignNames string

// BenignNames returns the built-in list of names of things that are no AI.
func BenignNames() []string {
	var out []string
	for line := range strings.Lines(benignNames) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			out = append(out, line)
		}
	}
	return out
}

// benignExamples are ordinary programs, requests and files.
func benignExamples() []signatures.Example {
	var out []signatures.Example
	for _, name := range []string{
		"systemd", "init", "sshd", "bash", "zsh", "python3", "node", "java", "ruby", "perl", "php-fpm", "nginx", "apache2", "httpd", "postgres", "mysqld",
		"redis-server", "mongod", "clickhouse-server", "dockerd", "containerd", "kubelet", "etcd", "cron", "rsyslogd", "dbus-daemon", "NetworkManager",
		"chronyd", "cupsd", "Xorg", "gnome-shell", "plasmashell", "firefox", "chrome", "chromium", "thunderbird", "libreoffice", "soffice.bin", "vlc", "gimp",
		"code", "vim", "nvim", "emacs", "tmux", "git", "make", "gcc", "cc1", "rustc", "cargo", "go", "gopls", "npm", "npx", "yarn", "pip", "uv", "curl", "wget",
		"ssh", "rsync", "tar", "gzip", "find", "grep", "ls", "cat", "top", "htop", "ps", "sleep", "sudo", "apt", "dnf", "snapd", "flatpak",
		"explorer.exe", "svchost.exe", "lsass.exe", "winlogon.exe", "csrss.exe", "services.exe", "RuntimeBroker.exe", "SearchIndexer.exe", "MsMpEng.exe",
		"chrome.exe", "msedge.exe", "firefox.exe", "OUTLOOK.EXE", "WINWORD.EXE", "EXCEL.EXE", "POWERPNT.EXE", "Teams.exe", "OneDrive.exe", "Zoom.exe",
		"slack.exe", "Spotify.exe", "notepad.exe", "cmd.exe", "powershell.exe", "conhost.exe", "WindowsTerminal.exe", "devenv.exe", "idea64.exe", "java.exe",
		"Finder", "Dock", "WindowServer", "launchd", "mds_stores", "Safari", "Mail", "Music", "Photos", "Terminal", "iTerm2", "Xcode", "zoom.us", "Slack",
		"main", "server", "app", "agent", "q", "amp", "forge", "cn", "goose", "crush", "jan", "continue",
	} {
		out = append(out, signatures.Example{Process: name, Arguments: []string{name}})
		out = append(out, signatures.Example{Process: name, Arguments: []string{name}, Ports: []uint16{80, 443, 3000, 5000, 7860, 8000, 8080, 8888, 9090}})
	}
	for _, arguments := range [][]string{
		{"python3", "-m", "http.server", "8000"},
		{"python3", "manage.py", "runserver"},
		{"python3", "-m", "pip", "install", "requests"},
		{"python3", "/usr/bin/ansible-playbook", "site.yml"},
		{"python3", "-m", "pytest"},
		{"python3", "server.py"},
		{"python3", "main.py"},
		{"node", "server.js"},
		{"node", "/usr/lib/node_modules/npm/bin/npm-cli.js", "install"},
		{"node", "/srv/app/node_modules/.bin/webpack"},
		{"node", "/srv/app/node_modules/next/dist/bin/next", "dev"},
		{"node", "/srv/app/node_modules/typescript/bin/tsc"},
		{"npx", "create-react-app", "x"},
		{"java", "-jar", "/opt/jenkins/jenkins.war"},
		{"bash", "-c", "echo hello"},
		{"sh", "/usr/local/bin/backup.sh"},
		{"vim", "notes-about-openai.txt"},
		{"grep", "-r", "claude", "/home/ana/docs"},
		{"cat", "/home/ana/ollama.txt"},
		{"less", "chatgpt.md"},
		{"ssh", "git@github.com"},
		{"git", "clone", "https://github.com/acme/app"},
	} {
		out = append(out, signatures.Example{Process: arguments[0], Arguments: arguments})
	}
	for _, path := range []string{
		"/", "/index.html", "/api", "/api/v1/users", "/v1/users", "/v2/", "/v2/library/ubuntu/manifests/latest", "/login", "/oauth2/token", "/graphql", "/healthz", "/health",
		"/metrics", "/favicon.ico", "/robots.txt", "/api/v4/projects", "/repos/acme/app/pulls", "/search", "/chat", "/messages", "/v1/messages/unread", "/models", "/files",
		"/wp-json/wp/v2/posts", "/api/chat/rooms", "/v1/completionsx", "/images/logo.png", "/v1/query", "/socket.io/", "/static/js/main.js", "/.well-known/acme-challenge/x",
	} {
		for _, method := range []string{"GET", "POST"} {
			out = append(out, signatures.Example{Host: "app.corp.example", Method: method, Path: path})
			out = append(out, signatures.Example{Path: path, Method: method, Ports: []uint16{443}})
		}
	}
	for _, name := range []string{
		"pypi/requests", "pypi/numpy", "pypi/django", "pypi/pandas", "pypi/boto3", "npm/react", "npm/express", "npm/typescript", "npm/@types/node", "npm/@babel/core",
		"npm/lodash", "go/golang.org/x/net", "go/github.com/spf13/cobra", "maven/org.slf4j:slf4j-api", "maven/com.google.guava:guava", "nuget/Newtonsoft.Json",
		"cargo/serde", "cargo/tokio", "rubygems/rails", "rubygems/rake", "packagist/symfony/console", "packagist/laravel/framework", "oci/library/nginx", "oci/bitnami/redis",
	} {
		out = append(out, signatures.Example{Package: name})
	}
	for _, id := range []string{
		"vscode/ms-python.python", "vscode/golang.go", "vscode/esbenp.prettier-vscode", "vscode/vscodevim.vim", "chrome/cjpalhdlnbpafiamejdnhcphjbkeiagm",
		"firefox/uBlock0@raymondhill.net", "jetbrains/IdeaVIM", "vim/tpope/vim-fugitive", "vim/preservim/nerdtree", "emacs/magit", "sublime/LSP",
	} {
		out = append(out, signatures.Example{Extension: id})
	}
	for _, name := range []string{
		"model", "weights.bin", "checkpoint", "final", "my-model", "test", "data.bin", "resnet", "classifier-v2", "unknown", "default", "latest", "main", "backup.tar",
	} {
		out = append(out, signatures.Example{Model: name})
	}
	for _, file := range []string{
		"/etc/passwd", "/etc/hosts", "/usr/bin/python3", "/var/log/syslog", "/home/ana/.bashrc", "/home/ana/.config/user-dirs.dirs", "/home/ana/.ssh/config", "/home/ana/.cache/pip",
		"/home/ana/.npmrc", "/home/ana/.gitconfig", "/home/ana/.vscode/settings.json", "/home/ana/project/package.json", "/home/ana/project/README.md", "/home/ana/project/config.json",
		"/home/ana/project/settings.json", "/home/ana/Downloads/model.bin", "/home/ana/Downloads/weights.pt", "/srv/data/train.h5", "/srv/models/index.json", "/opt/app/config.yaml",
		"/Users/ana/Library/Preferences/com.apple.finder.plist", "/Applications/Safari.app", "/Users/ana/Library/Application Support/Google/Chrome/Default/Preferences",
		"C:/Windows/System32/cmd.exe", "C:/Users/ana/AppData/Roaming/Code/User/settings.json", "C:/Program Files/Microsoft Office/root/Office16/WINWORD.EXE",
	} {
		out = append(out, signatures.Example{File: file})
	}
	return out
}

// benign holds the whole catalogue against what is no AI.
func (r *runner) benign() {
	check := func(e signatures.Example, what string) {
		matches, _ := r.match(r.set, nil, e)
		for i := range matches {
			r.errorf(matches[i].Signature, "%s, which is no AI, matches (%s); narrow that rule", what, evidence(&matches[i]))
		}
	}
	for _, name := range BenignNames() {
		check(signatures.Example{Host: name}, "the name "+name)
	}
	for _, e := range benignExamples() {
		check(e, "the example "+describe(e))
	}
}

// lookalikes makes names that come near to every host rule of sig and are
// others' names, and checks that they do not match.
func (r *runner) lookalikes(sig *signatures.Signature) {
	for i := range sig.Hosts {
		rule := &sig.Hosts[i]
		name := strings.Replace(rule.Value, "*", "label", 1)
		selector := "host " + string(rule.Match) + " " + rule.Value
		for _, near := range near(rule, name) {
			matches, ok := r.match(r.set, sig, near.example(sig, rule))
			if !ok {
				continue
			}
			for m := range matches {
				hit := matches[m].Hits[0]
				if near.foreign && hit.Role != "" || hit.Selector == selector {
					r.errorf(sig, "the look-alike %s (%s of %s) matches %s (%s)", near.name, near.how, rule.Value, matches[m].Signature.ID, evidence(&matches[m]))
				}
			}
		}
	}
}

// lookalike is a name that comes near to a host rule.
type lookalike struct {
	name, how string
	foreign   bool // it lies in a domain of somebody else: no host rule at all may match
}

// near makes the look-alikes of a rule; name is a name that the rule matches.
func near(rule *signatures.HostRule, name string) []lookalike {
	labels := strings.Split(name, ".")
	last := len(labels) - 1
	out := []lookalike{
		{name + ".evil.test", "a suffix appended", true},
		{strings.ReplaceAll(name, ".", "-") + ".test", "dots replaced", true},
		{name + "x", "a letter appended", true},
	}
	if rule.Match == signatures.HostWildcard && labels[0] == "label" {
		// Gluing to "*" yields a name that the rule means.
		out = append(out, lookalike{strings.Join(labels[1:], "."), "the label taken away", false})
	} else {
		out = append(out, lookalike{"not" + name, "a prefix glued on", false}, lookalike{"not-" + name, "a prefix glued on", false})
	}
	if rule.Match != signatures.HostSuffix {
		out = append(out, lookalike{"label." + name, "a label put in front", false})
	}
	if last > 0 {
		inserted := append(append(append([]string{}, labels[:last]...), "evil"), labels[last])
		out = append(out, lookalike{strings.Join(inserted, "."), "a label put in between", false})
	}
	return out
}

// example makes the look-alike an example; for a shared host with a path that
// completes the rule, so that only the name can keep it from matching.
func (l lookalike) example(sig *signatures.Signature, rule *signatures.HostRule) signatures.Example {
	e := signatures.Example{Host: l.name}
	if !rule.Shared {
		return e
	}
	for _, p := range sig.Paths {
		e.Path = strings.ReplaceAll(fmt.Sprintf("%s%s", p.Prefix, p.Suffix), "*", "x")
		e.Method = p.Method
	}
	return e
}
