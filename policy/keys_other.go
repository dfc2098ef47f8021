package policy

import "time"

// The keys of a stream type for ws and mqtt.

var wsKeys = []row[Stream]{
	{key{name: "ws_subprotocol", form: tokensForm, on: onMixed, def: "none", proof: "ss.TestWebSocketSubprotocol",
		text: "Client: subprotocols to ask for, most wanted first; a server that selects none is accepted. Server: subprotocols to accept, of which " +
			"the client's first counts; their presence lets h1 and h2 servers upgrade to ws. A client that asks for others only is refused, one " +
			"that asks for none is accepted without one."},
		text(func(s *Stream) *string { return &s.WS.Subprotocol })},
	{key{name: "ws_binary", kind: kindBool, on: onMixed, def: "false", proof: "ss.TestWebSocket",
		text: "Messages are binary, not text, unless Tx flags one otherwise."},
		boolean(func(s *Stream) *bool { return &s.WS.Binary })},
	{key{name: "ws_prioritize_reads", kind: kindBool, on: onMixed, def: "false", proof: "ss.TestWebSocketPrioritizesReads",
		text: "Read all there is before writing: Tx that Rx asks for comes at the end of the turn."},
		boolean(func(s *Stream) *bool { return &s.WS.PrioritizeReads })},
	{key{name: "ws_deflate", kind: kindBool, on: onMixed, def: "false", proof: "ss.TestWebSocketCompression",
		text: "Offer, or accept, permessage-deflate (RFC 7692). Not known to the reference."},
		boolean(func(s *Stream) *bool { return &s.WS.Deflate })},
	{key{name: "ws_over_h2", kind: kindBool, on: onWS, side: clientSide, def: "false", proof: "ss.TestWebSocketsShare",
		text: "Travel on a stream of an HTTP/2 connection, which others may share (RFC 8441): by ALPN with tls, by prior knowledge without. " +
			"Where ALPN yields HTTP/1.1, or the server takes no WebSockets over HTTP/2, the stream has an HTTP/1.1 connection of its own, within the same attempt. Not known to the reference."},
		boolean(func(s *Stream) *bool { return &s.WS.OverH2 })},
}

var mqttKeys = []row[Stream]{
	{key{name: "mqtt_topic", kind: kindTemplate, form: topicForm, on: onMQTT, def: "none",
		text: "Topic to publish to."},
		template(func(s *Stream) *Template { return &s.MQTT.Topic })},
	{key{name: "mqtt_subscribe", kind: kindTemplate, form: filterForm, on: onMQTT, def: "none",
		text: "Topic filter to subscribe to."},
		template(func(s *Stream) *Template { return &s.MQTT.Subscribe })},
	{key{name: "mqtt_qos", alias: []string{"mqtt qos"}, kind: kindInt, max: 2, on: onMQTT, def: "0",
		text: "Quality of service in both directions."},
		number(func(s *Stream) *uint8 { return &s.MQTT.QoS })},
	{key{name: "mqtt_retain", kind: kindBool, on: onMQTT, def: "false",
		text: "The broker keeps the last message for later subscribers."},
		boolean(func(s *Stream) *bool { return &s.MQTT.Retain })},
	{key{name: "mqtt_clean_start", kind: kindBool, on: onMQTT, def: "false",
		text: "The broker drops the session of this client."},
		boolean(func(s *Stream) *bool { return &s.MQTT.CleanStart })},
	{key{name: "mqtt_keep_alive", kind: kindInt, max: 65535, unit: "s", on: onMQTT, def: "0, off",
		text: "Silence after which the broker may close; streams that share a connection should agree on it."},
		duration(time.Second, func(s *Stream) *time.Duration { return &s.MQTT.KeepAlive })},
	{key{name: "mqtt_will_topic", kind: kindTemplate, form: topicForm, on: onMQTT, def: "none",
		text: "Topic of the message that the broker sends when the connection is lost."},
		template(func(s *Stream) *Template { return &s.MQTT.Will.Topic })},
	{key{name: "mqtt_will_message", kind: kindTemplate, form: messageForm, on: onMQTT, def: "empty",
		text: "Payload of that message."},
		template(func(s *Stream) *Template { return &s.MQTT.Will.Message })},
	{key{name: "mqtt_will_qos", kind: kindInt, max: 2, on: onMQTT, def: "0",
		text: "Quality of service of that message."},
		number(func(s *Stream) *uint8 { return &s.MQTT.Will.QoS })},
	{key{name: "mqtt_will_retain", kind: kindBool, on: onMQTT, def: "false",
		text: "The broker keeps that message."},
		boolean(func(s *Stream) *bool { return &s.MQTT.Will.Retain })},
	{key{name: "mqtt_birth_topic", kind: kindTemplate, form: topicForm, on: onMQTT, def: "none",
		text: "Topic of a message sent when the connection is made."},
		template(func(s *Stream) *Template { return &s.MQTT.Birth.Topic })},
	{key{name: "mqtt_birth_message", kind: kindTemplate, form: messageForm, on: onMQTT, def: "empty",
		text: "Payload of that message."},
		template(func(s *Stream) *Template { return &s.MQTT.Birth.Message })},
	{key{name: "mqtt_birth_qos", kind: kindInt, max: 2, on: onMQTT, def: "0",
		text: "Quality of service of that message."},
		number(func(s *Stream) *uint8 { return &s.MQTT.Birth.QoS })},
	{key{name: "mqtt_birth_retain", kind: kindBool, on: onMQTT, def: "false",
		text: "The broker keeps that message."},
		boolean(func(s *Stream) *bool { return &s.MQTT.Birth.Retain })},
	{key{name: "aws_iot", kind: kindBool, on: onMQTT, def: "false",
		text: "Topics are AWS IoT shadow topics."},
		boolean(func(s *Stream) *bool { return &s.MQTT.AWSIoT })},
}
