package signatures

import "strings"

// sharedDomain knows domains under which things that are no AI live too, or under
// which anybody can have a name. A suffix rule on one of them would call all of
// that AI; rules must name the host. reason says what else is there.
func sharedDomain(name string) (reason string, shared bool) {
	switch name {
	case "google.com", "googleapis.com", "gstatic.com", "googleusercontent.com", "withgoogle.com":
		return "all of Google is there", true
	case "amazonaws.com", "amazonaws.com.cn", "amazon.com", "aws.com", "aws.dev", "api.aws", "on.aws", "a2z.com", "awsapps.com":
		return "all of AWS is there", true
	case "azure.com", "azure.cn", "azure.net", "azure-api.net", "azurewebsites.net", "azureedge.net", "azurefd.net", "windows.net",
		"cloudapp.net", "microsoft.com", "microsoftonline.com", "live.com", "office.com", "office.net",
		"cloud.microsoft", "bing.com", "bing.net", "msn.com", "sharepoint.com", "visualstudio.com", "msedge.net":
		return "all of Microsoft is there", true
	case "github.com", "githubusercontent.com", "github.dev", "gitlab.com", "bitbucket.org", "sourceforge.net":
		return "source code of any kind is there", true
	case "github.io", "gitlab.io", "pages.dev", "workers.dev", "r2.dev", "netlify.app", "vercel.app", "vercel.com", "vercel.sh", "now.sh",
		"herokuapp.com", "heroku.com", "fly.dev", "fly.io", "onrender.com", "render.com", "railway.app", "up.railway.app", "web.app",
		"firebaseapp.com", "firebaseio.com", "appspot.com", "run.app", "a.run.app", "cloudfunctions.net", "surge.sh", "glitch.me",
		"repl.co", "replit.app", "replit.dev", "streamlit.app", "ngrok.io", "ngrok.app", "ngrok-free.app", "trycloudflare.com", "loca.lt",
		"ts.net", "deno.dev", "supabase.co", "notion.site", "webflow.io", "wixsite.com", "wordpress.com", "blogspot.com", "myshopify.com",
		"lovable.app", "bolt.host":
		return "anybody's programs are there", true
	case "cloudflare.com", "cloudflare.net", "cloudflareinsights.com", "cloudfront.net", "akamai.net", "akamaihd.net", "akamaized.net",
		"akamaiedge.net", "edgekey.net", "edgesuite.net", "fastly.net", "fastlylb.net", "b-cdn.net", "cdn77.org", "jsdelivr.net", "unpkg.com",
		"llnwd.net", "digitaloceanspaces.com", "ondigitalocean.app", "digitalocean.com", "linode.com", "ovh.net", "hetzner.cloud",
		"backblazeb2.com", "wasabisys.com":
		return "it carries anybody's traffic", true
	case "aliyuncs.com", "aliyun.com", "alibaba.com", "alibabacloud.com", "taobao.com", "tencent.com", "tencentcloudapi.com", "myqcloud.com",
		"qq.com", "weixin.com", "wechat.com", "baidu.com", "bdstatic.com", "baidubce.com", "bytedance.com", "volces.com", "volcengine.com", "volcengineapi.com",
		"byteplus.com", "bytepluses.com", "huawei.com", "huaweicloud.com", "myhuaweicloud.com", "jd.com", "163.com", "360.cn", "360.com", "sogou.com", "xiaomi.com", "kuaishou.com":
		return "a whole cloud or portal is there", true
	case "adobe.com", "adobe.io", "salesforce.com", "force.com", "slack.com", "zoom.us", "notion.so", "notion.com", "atlassian.com", "atlassian.net",
		"servicenow.com", "service-now.com", "sap.com", "oracle.com", "oraclecloud.com", "ibm.com", "cloud.ibm.com", "canva.com", "figma.com", "dropbox.com", "box.com",
		"zendesk.com", "hubspot.com", "intuit.com", "workday.com", "snowflakecomputing.com", "snowflake.com", "databricks.com", "cloud.databricks.com",
		"azuredatabricks.net", "livekit.cloud", "mongodb.com", "mongodb.net", "elastic.co", "elastic-cloud.com", "redis.io", "datadoghq.com":
		return "it is a product or platform beyond its AI part", true
	case "apple.com", "icloud.com", "cdn-apple.com", "nvidia.com", "intel.com", "amd.com", "samsung.com", "jetbrains.com", "mozilla.org", "mozilla.com", "opera.com", "brave.com",
		"docker.com", "docker.io", "pypi.org", "pythonhosted.org", "yandex.ru", "yandex.com", "yandex.net", "yandexcloud.net", "vk.com", "mail.ru", "sber.ru", "sberbank.ru", "naver.com", "kakao.com":
		return "most of what is there is no AI", true
	case "x.com", "twitter.com", "facebook.com", "fbcdn.net", "instagram.com", "whatsapp.com", "whatsapp.net", "meta.com", "linkedin.com", "reddit.com",
		"tiktok.com", "youtube.com", "discord.com", "discordapp.com", "telegram.org", "t.me", "snapchat.com", "pinterest.com", "quora.com", "duckduckgo.com", "wikipedia.org":
		return "people go there for other things", true
	case "auth0.com", "okta.com", "clerk.accounts.dev", "stripe.com", "sentry.io", "segment.io", "segment.com", "intercom.io", "intercom.com", "statsig.com", "statsigapi.net",
		"launchdarkly.com", "amplitude.com", "mixpanel.com", "posthog.com", "workos.com", "twilio.com", "sendgrid.net", "fullstory.com", "hotjar.com":
		return "every second site calls it", true
	}
	return "", false
}

// publicSuffix knows the suffixes of two labels under which registries of
// countries hand out names (https://publicsuffix.org; sigtest holds the shipped
// catalogue against the whole list). Of one label all are, so a suffix rule has
// at least two.
func publicSuffix(name string) bool {
	first, second, found := strings.Cut(name, ".")
	if !found {
		return true
	}
	switch first {
	case "ac", "co", "com", "edu", "go", "gob", "gov", "gouv", "ltd", "mil", "ne", "net", "nhs", "nom", "or", "org", "plc", "sch":
		return len(second) == 2
	}
	return false
}
