package clients

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// List returns every client.
func List() []Client {
	return []Client{
		{Name: "curl, HTTP/1.1", Needs: []string{"curl"}, Packages: []string{"curl"}, Process: "/curl", Protocol: "tls", run: curl("--http1.1")},
		{Name: "curl, HTTP/2", Needs: []string{"curl"}, Packages: []string{"curl"}, Process: "/curl", Protocol: "tls", run: curl("--http2")},
		{Name: "Node", Needs: []string{"node"}, Packages: []string{"nodejs"}, Process: "/node", Protocol: "tls", run: node},
		{Name: "Python", Needs: []string{"python3"}, Packages: []string{"python3"}, Process: "/python3", Protocol: "tls", run: python},
		{Name: "Java", Needs: []string{"java"}, Packages: []string{"default-jdk-headless"}, Process: "/java", Protocol: "tls", run: java},
		{Name: "Chromium, HTTP/2", Needs: []string{"chromium"}, Packages: []string{"chromium"}, Process: "/chromium", Protocol: "tls", run: chromium(false)},
		{Name: "Chromium, HTTP/3", Needs: []string{"chromium"}, Packages: []string{"chromium"}, Process: "/chromium", Protocol: "quic", run: chromium(true)},
		{Name: "Firefox, HTTP/2", Needs: []string{"firefox-esr", "certutil"}, Packages: []string{"firefox-esr", "libnss3-tools"}, Process: "/firefox", Protocol: "tls", run: firefox(false)},
		{Name: "Firefox, HTTP/3", Needs: []string{"firefox-esr", "certutil"}, Packages: []string{"firefox-esr", "libnss3-tools"}, Process: "/firefox", Protocol: "quic", run: firefox(true)},
	}
}

// curl runs once for each name: the process is gone when its connection is
// looked at.
func curl(version string) func(context.Context, run) error {
	return func(ctx context.Context, r run) error {
		for _, name := range r.names {
			if err := r.start(ctx, "curl", "-sS", version, "-o", "/dev/null", "--noproxy", "*", "--cacert", r.authority,
				"--connect-to", "::"+r.host+":"+r.port, "https://"+name+"/v1/models"); err != nil {
				return err
			}
		}
		return nil
	}
}

func node(ctx context.Context, r run) error {
	return r.start(ctx, "node", append([]string{"client.js", r.host, r.port, r.authority}, r.names...)...)
}

func python(ctx context.Context, r run) error {
	return r.start(ctx, "python3", append([]string{"client.py", r.host, r.port, r.authority}, r.names...)...)
}

func java(ctx context.Context, r run) error {
	hosts, err := r.hosts()
	if err != nil {
		return err
	}
	return r.start(ctx, "java", append([]string{"-Djdk.net.hosts.file=" + hosts, "Client.java", r.port, r.authority}, r.names...)...)
}

func chromium(quic bool) func(context.Context, run) error {
	return func(ctx context.Context, r run) error {
		page, err := r.page()
		if err != nil {
			return err
		}
		arguments := []string{
			"--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update",
			"--disable-sync", "--no-proxy-server", "--user-data-dir=" + filepath.Join(r.folder, "chromium"),
			"--host-resolver-rules=MAP * " + r.host, "--ignore-certificate-errors-spki-list=" + r.server.KeyHash,
		}
		if quic {
			var force []string
			for _, name := range r.names {
				force = append(force, name+":"+r.port)
			}
			arguments = append(arguments, "--enable-quic", "--origin-to-force-quic-on="+strings.Join(force, ","))
		} else {
			arguments = append(arguments, "--disable-quic")
		}
		return r.start(ctx, "chromium", append(arguments, "--dump-dom", page)...)
	}
}

func firefox(quic bool) func(context.Context, run) error {
	return func(ctx context.Context, r run) error {
		page, err := r.page()
		if err != nil {
			return err
		}
		profile := filepath.Join(r.folder, "firefox")
		if err := os.MkdirAll(profile, 0o700); err != nil {
			return err
		}
		if err := r.start(ctx, "certutil", "-N", "-d", "sql:"+profile, "--empty-password"); err != nil {
			return err
		}
		if err := r.start(ctx, "certutil", "-A", "-d", "sql:"+profile, "-n", "test", "-t", "C,,", "-i", r.authority); err != nil {
			return err
		}
		preferences := []string{
			fmt.Sprintf(`user_pref("network.dns.forceResolve", %q);`, r.host),
			`user_pref("network.proxy.type", 0);`,
			`user_pref("app.update.enabled", false);`,
			`user_pref("datareporting.policy.dataSubmissionEnabled", false);`,
			`user_pref("network.captive-portal-service.enabled", false);`,
			`user_pref("network.connectivity-service.enabled", false);`,
			`user_pref("network.trr.mode", 5);`,
			`user_pref("services.settings.server", "data:,");`,
			`user_pref("toolkit.telemetry.enabled", false);`,
			`user_pref("toolkit.telemetry.unified", false);`,
			`user_pref("browser.safebrowsing.malware.enabled", false);`,
			`user_pref("browser.safebrowsing.phishing.enabled", false);`,
			`user_pref("browser.safebrowsing.downloads.enabled", false);`,
			`user_pref("browser.region.update.enabled", false);`,
			`user_pref("browser.discovery.enabled", false);`,
			`user_pref("browser.search.update", false);`,
			`user_pref("dom.push.connection.enabled", false);`,
			`user_pref("extensions.update.enabled", false);`,
			`user_pref("extensions.systemAddon.update.enabled", false);`,
			`user_pref("media.gmp-manager.updateEnabled", false);`,
			`user_pref("browser.startup.homepage_override.mstone", "ignore");`,
			fmt.Sprintf(`user_pref("network.http.http3.enable", %v);`, quic),
			`user_pref("network.http.http3.disable_when_third_party_roots_found", false);`,
		}
		if quic {
			var alternatives []string
			for _, name := range r.names {
				alternatives = append(alternatives, name+";h3=:"+r.port)
			}
			preferences = append(preferences, fmt.Sprintf(`user_pref("network.http.http3.alt-svc-mapping-for-testing", %q);`, strings.Join(alternatives, ",")))
		}
		if err := os.WriteFile(filepath.Join(profile, "user.js"), []byte(strings.Join(preferences, "\n")+"\n"), 0o600); err != nil {
			return err
		}
		return r.start(ctx, "firefox-esr", "--headless", "--no-remote", "--profile", profile, "--screenshot", filepath.Join(r.folder, "page.png"), page)
	}
}
