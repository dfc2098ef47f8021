package policy

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestStreamMistakes: a problem in a stream type is reported with its position.
func TestStreamMistakes(t *testing.T) {
	var metadata, options []string
	for i := range maxMetadata + 1 {
		metadata = append(metadata, fmt.Sprintf(`{"m%d":""}`, i))
		options = append(options, fmt.Sprintf(`{"o%d":""}`, i))
	}
	for members, want := range map[string]string{
		`"http_url":"/${x}","metadata":[{"y":""}]`:                             `http_url: ${x} is not declared: declare it in this stream type: "metadata": [{"x": ""}]`,
		`"aws_region":"x"`:                                                     `aws_region: metadata "x" is not declared: declare it in this stream type: "metadata": [{"x": ""}]`,
		`"metadata":[{"a":""},{"a":"x:"}]`:                                     `metadata[1].a: duplicate metadata name, first defined at 1:26: rename or remove one of them`,
		`"metadata":[{"a}":""}]`:                                               `metadata[0]["a}"]: a } in a metadata name, which ${} could not hold: rename it`,
		`"metadata":[{"a":"x y:"}]`:                                            `metadata[0].a: not a header field name: "x y" is not a token: a field name is letters, digits and !#$%&'*+-.^_|~, as in "x-token:"`,
		`"metadata":[` + strings.Join(metadata, ",") + `]`:                     `metadata[64].m64: more than 64 metadata items: remove some`,
		`"server":true,"options":[` + strings.Join(options, ",") + `]`:         `options[64].o64: more than 64 options: remove some`,
		`"http_resp_map":[{"530":1530},{"530":1531}]`:                          `http_resp_map[1].530: duplicate mapping of this status, first given at 1:31: remove one of them`,
		`"protocol":"h1get","http_method":"POST"`:                              `protocol: "h1get" means GET, but http_method is "POST": write "h1"`,
		`"protocol":"h3"`:                                                      `protocol: h3 is not supported: use one of h1, h2, ws, mqtt, raw`,
		`"http_method":"CONNECT"`:                                              `http_method: CONNECT asks for a tunnel, not for a response: use another`,
		`"protocol":"h1post"`:                                                  `protocol: unknown protocol "h1post": want one of h1, h2, ws, mqtt, raw, h1get`,
		`"protocol":"mqtt","http_method":"GET"`:                                `http_method: http_method means nothing to mqtt streams: it is for h1, h2, ws; remove it, or change the protocol`,
		`"protocol":"h1","mqtt_qos":1`:                                         `mqtt_qos: mqtt_qos means nothing to h1 streams: it is for mqtt; remove it, or change the protocol`,
		`"ws_subprotocol":"x"`:                                                 `ws_subprotocol: ws_subprotocol means nothing to h1 streams: it is for ws, h1 and h2 servers; remove it, or change the protocol`,
		`"rideshare":"b"`:                                                      `rideshare: no stream type is called "b": define it under "s"`,
		`"server_cert":"c"`:                                                    `server_cert: no certificate is called "c": define it under "certs", before this use`,
		`"proxy_buflen_rxflow_on_above":5,"proxy_buflen_rxflow_off_below":6`:   `proxy_buflen_rxflow_off_below: more than proxy_buflen_rxflow_on_above: make it less`,
		`"client_buflen_rxflow_on_above":5,"client_buflen_rxflow_off_below":6`: `client_buflen_rxflow_off_below: more than client_buflen_rxflow_on_above: make it less`,
	} {
		_, err := Parse([]byte(`{"s":[{"a":{` + members + `}}]}`))
		if err == nil || !strings.Contains(err.Error(), ": s[0].a."+want) {
			t.Errorf("{%s}:\n got %v\nwant s[0].a.%s", members, err, want)
		}
	}
}

// TestStreamValues: one stream type with most keys, and the Go values they become.
func TestStreamValues(t *testing.T) {
	doc := `{
	"certs": [{"k": "AQID", "c": "BAUG"}],
	"auth": [{"name": "aws", "type": "sigv4", "blob": 2, "streamtype": "refresh"}],
	"s": [
	 {"web": {"endpoint": "${region}.mysite.com", "port": 443, "tls": true, "protocol": "h2", "http_method": "PUT", "http_url": "o/${key}?x=${region}",
	   "metadata": [{"region": "", "key": "x-key:"}, {"ctype": "Content-Type:"}], "http_expect": 204, "timeout_ms": 2500,
	   "use_auth": "aws", "aws_region": "region", "aws_service": "key", "http_auth_header": "authorization:", "http_auth_preamble": "bearer ",
	   "http_mime_content_type": "text/plain", "rideshare": "other", "client cert": 0, "attr_priority": 6, "attr_low_cost": true}},
	 {"other": {"server": true, "port": 0, "tls": false, "ws_subprotocol": "p", "options": [{"o": "v"}], "server_cert": "c", "server_key": "k"}},
	 {"mq": {"protocol": "mqtt", "mqtt qos": 2, "mqtt_topic": "t/${id}", "mqtt_keep_alive": 30, "mqtt_will_message": "gone\n", "metadata": [{"id": ""}]}}]}`
	p, err := Parse([]byte(doc))
	if err != nil {
		t.Fatal(err)
	}
	web, other, mq := p.Stream("web"), p.Stream("other"), p.Stream("mq")
	expand := func(tmpl *Template) string {
		b, err := tmpl.Append(nil, func(i int) []byte { return []byte{'0' + byte(i)} })
		if err != nil {
			t.Error(err)
		}
		return string(b)
	}
	for _, tt := range []struct {
		what      string
		got, want any
	}{
		{"endpoint", expand(&web.Endpoint), "0.mysite.com"},
		{"http_url", expand(&web.HTTP.URL), "o/1?x=0"},
		{"protocol", web.Protocol, H2},
		{"method", web.HTTP.Method, "PUT"},
		{"expect", web.HTTP.Expect, 204},
		{"timeout", web.Timeout, 2500 * time.Millisecond},
		{"metadata", web.Metadata, []Metadata{{"region", ""}, {"key", "x-key"}, {"ctype", "Content-Type"}}},
		{"auth", *web.Auth, Auth{"aws", "sigv4", "refresh", 2}},
		{"aws", web.AWSRegion + " " + web.AWSService, "region key"},
		{"auth header", web.HTTP.AuthHeader + " " + web.HTTP.AuthPreamble, "authorization bearer "},
		{"multipart", fmt.Sprint(web.HTTP.Multipart, " ", web.HTTP.MultipartContentType), "true text/plain"},
		{"rideshare", web.HTTP.Rideshare == other, true},
		{"client cert", fmt.Sprint(web.HasClientCert, web.ClientCert), "true 0"},
		{"attr", web.Attr, Attr{Priority: 6, LowCost: true}},
		{"server", fmt.Sprint(other.Server, other.HasPort, other.Port, " ", other.WS.Subprotocol), "true true 0 p"},
		{"options", other.Options, []Option{{"o", "v"}}},
		{"cert and key", fmt.Sprint(other.ServerCerts[0].DER, other.ServerKeys[0].DER), "[4 5 6] [1 2 3]"},
		{"mqtt", fmt.Sprintf("%v %s %v %s", mq.MQTT.QoS, expand(&mq.MQTT.Topic), mq.MQTT.KeepAlive, expand(&mq.MQTT.Will.Message)), "2 t/0 30s gone\n"},
	} {
		if got, want := fmt.Sprint(tt.got), fmt.Sprint(tt.want); got != want {
			t.Errorf("%s: got %q, want %q", tt.what, got, want)
		}
	}
}
