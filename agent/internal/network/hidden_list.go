package network

// The lists below are data: who offers to hide names or destinations, each
// with the public page that says so. They name operators' own documents; they
// are not complete, and cannot be. A connection to anybody else is recognised
// by its port, its protocol name or its first bytes, or not at all.

// veiledName is a name whose connections hide others. A name that starts with
// a dot stands for all names below it.
type veiledName struct {
	name   string
	kind   veil
	source string
}

const (
	sourceChromium   = "https://chromium.googlesource.com/chromium/src/+/main/net/dns/public/doh_provider_entry.cc"
	sourceGoogle     = "https://developers.google.com/speed/public-dns/docs/doh"
	sourceCloudflare = "https://developers.cloudflare.com/1.1.1.1/encryption/dns-over-https/"
	sourceQuad9      = "https://quad9.net/service/service-addresses-and-features/"
	sourceOpenDNS    = "https://support.opendns.com/hc/en-us/articles/360038086532"
	sourceNextDNS    = "https://help.nextdns.io/"
	sourceAdGuard    = "https://adguard-dns.io/kb/general/dns-providers/"
	sourceClean      = "https://cleanbrowsing.org/filters/"
	sourceControlD   = "https://controld.com/free-dns"
	sourceMullvad    = "https://mullvad.net/en/help/dns-over-https-and-dns-over-tls"
	sourceWARP       = "https://developers.cloudflare.com/cloudflare-one/connections/connect-devices/warp/deployment/firewall/"
	sourceApple      = "https://developer.apple.com/support/prepare-your-network-for-icloud-private-relay/"
	sourceTailscale  = "https://tailscale.com/kb/1082/firewall-ports"
)

func veiledNames() []veiledName { return append(resolverNames(), tunnelNames()...) }

func resolverNames() []veiledName {
	return []veiledName{
		{"dns.google", veilDoH, sourceGoogle},
		{"dns.google.com", veilDoH, sourceChromium},
		{"8888.google", veilDoH, sourceChromium},
		{"dns64.dns.google", veilDoH, sourceChromium},
		{"cloudflare-dns.com", veilDoH, sourceCloudflare},
		{".cloudflare-dns.com", veilDoH, sourceCloudflare},
		{".cloudflare-gateway.com", veilDoH, "https://developers.cloudflare.com/cloudflare-one/connections/connect-devices/agentless/dns/dns-over-https/"},
		{"one.one.one.one", veilDoH, sourceChromium},
		{"dns.quad9.net", veilDoH, sourceQuad9},
		{"dns9.quad9.net", veilDoH, sourceQuad9},
		{"dns10.quad9.net", veilDoH, sourceQuad9},
		{"dns11.quad9.net", veilDoH, sourceQuad9},
		{"doh.opendns.com", veilDoH, sourceOpenDNS},
		{"doh.familyshield.opendns.com", veilDoH, sourceOpenDNS},
		{"doh.sandbox.opendns.com", veilDoH, sourceOpenDNS},
		{"dns.opendns.com", veilDoH, sourceOpenDNS},
		{"doh.umbrella.com", veilDoH, sourceOpenDNS},
		{"dns.nextdns.io", veilDoH, sourceNextDNS},
		{".dns.nextdns.io", veilDoH, sourceNextDNS},
		{"dns.adguard-dns.com", veilDoH, sourceAdGuard},
		{"family.adguard-dns.com", veilDoH, sourceAdGuard},
		{"unfiltered.adguard-dns.com", veilDoH, sourceAdGuard},
		{"dns.adguard.com", veilDoH, sourceAdGuard},
		{".d.adguard-dns.com", veilDoH, sourceAdGuard},
		{"doh.cleanbrowsing.org", veilDoH, sourceClean},
		{"security-filter-dns.cleanbrowsing.org", veilDoH, sourceClean},
		{"family-filter-dns.cleanbrowsing.org", veilDoH, sourceClean},
		{"adult-filter-dns.cleanbrowsing.org", veilDoH, sourceClean},
		{"freedns.controld.com", veilDoH, sourceControlD},
		{"dns.controld.com", veilDoH, sourceControlD},
		{".dns.controld.com", veilDoH, sourceControlD},
		{"dns.mullvad.net", veilDoH, sourceMullvad},
		{".dns.mullvad.net", veilDoH, sourceMullvad},
		{"doh.dns.sb", veilDoH, sourceChromium},
		{"dns.sb", veilDoH, sourceChromium},
		{"doh.xfinity.com", veilDoH, sourceChromium},
		{"dot.xfinity.com", veilDoT, sourceChromium},
		{"doh.cox.net", veilDoH, sourceChromium},
		{"dot.cox.net", veilDoT, sourceChromium},
		{"odvr.nic.cz", veilDoH, sourceChromium},
		{"protective.joindns4.eu", veilDoH, sourceChromium},
		{"public.dns.iij.jp", veilDoH, sourceChromium},
		{"dns.levonet.sk", veilDoH, sourceChromium},
		{"doh.quickline.ch", veilDoH, sourceChromium},
		{"dot.quickline.ch", veilDoT, sourceChromium},
		{"doh-01.spectrum.com", veilDoH, sourceChromium},
		{"doh-02.spectrum.com", veilDoH, sourceChromium},
		{"dns.alidns.com", veilDoH, sourceAdGuard},
		{"doh.pub", veilDoH, sourceAdGuard},
		{"dot.pub", veilDoT, sourceAdGuard},
		{"doh.360.cn", veilDoH, sourceAdGuard},
		{"doh.libredns.gr", veilDoH, sourceAdGuard},
		{"dns.switch.ch", veilDoH, sourceAdGuard},
		{"wikimedia-dns.org", veilDoH, sourceAdGuard},
		{"doh.applied-privacy.net", veilDoH, sourceAdGuard},
		{"dns.digitale-gesellschaft.ch", veilDoH, sourceAdGuard},
		{"doh.ffmuc.net", veilDoH, sourceAdGuard},
	}
}

func tunnelNames() []veiledName {
	return []veiledName{
		{"mask.icloud.com", veilRelay, sourceApple},
		{"mask-h2.icloud.com", veilRelay, sourceApple},
		{".cloudflareclient.com", veilVPN, sourceWARP},
		{"controlplane.tailscale.com", veilVPN, sourceTailscale},
	}
}

// veiledAddresses lists addresses that resolvers answer on over HTTPS, also
// where a hello names nobody.
func veiledAddresses() map[string][]string {
	return map[string][]string{
		sourceGoogle: {"8.8.8.8", "8.8.4.4", "2001:4860:4860::8888", "2001:4860:4860::8844", "2001:4860:4860::64", "2001:4860:4860::6464"},
		"https://developers.cloudflare.com/1.1.1.1/ip-addresses/": {
			"1.1.1.1", "1.0.0.1", "1.1.1.2", "1.0.0.2", "1.1.1.3", "1.0.0.3",
			"2606:4700:4700::1111", "2606:4700:4700::1001", "2606:4700:4700::1112", "2606:4700:4700::1002",
			"2606:4700:4700::1113", "2606:4700:4700::1003",
		},
		sourceQuad9: {
			"9.9.9.9", "149.112.112.112", "9.9.9.10", "149.112.112.10", "9.9.9.11", "149.112.112.11",
			"2620:fe::fe", "2620:fe::9", "2620:fe::10", "2620:fe::fe:10", "2620:fe::11", "2620:fe::fe:11",
		},
		sourceChromium: {
			"208.67.222.222", "208.67.220.220", "208.67.222.123", "208.67.220.123", "2620:119:35::35", "2620:119:53::53",
			"185.228.168.9", "185.228.169.9", "185.228.168.10", "185.228.169.11", "185.228.168.168", "185.228.169.168",
			"185.222.222.222", "45.11.45.11", "2a09::", "2a11::", "185.43.135.1", "193.17.47.1",
		},
		sourceAdGuard: {"94.140.14.14", "94.140.15.15", "2a10:50c0::ad1:ff", "2a10:50c0::ad2:ff"},
	}
}
