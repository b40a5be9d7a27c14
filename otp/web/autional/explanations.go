// SPDX-License-Identifier: Apache-2.0

package autional

// explanation says what a type of problems means to who develops or runs a
// client, and what they can do.
type explanation struct {
	kind          *kind
	meaning, toDo text
}

// explanations are of all types.
var explanations = []explanation{
	{invalidParameter, text{
		"One or more fields of the request are missing, of the wrong type or not usable. The list errors has each field with a code: required, type, format, range, conflict, unsupported or unknown.",
		"Ein oder mehrere Felder der Anfrage fehlen, haben den falschen Typ oder sind nicht verwendbar. Die Liste errors nennt jedes Feld mit einem Code: required, type, format, range, conflict, unsupported oder unknown.",
		"请求中有一个或多个字段缺失、类型错误或无法使用。errors 列表给出每个字段及其代码：required、type、format、range、conflict、unsupported 或 unknown。",
	}, text{
		"Correct the fields and send the request again. It has cost nothing: no message was sent and no try was counted.",
		"Die Felder berichtigen und die Anfrage erneut senden. Sie hat nichts gekostet: Es wurde keine Nachricht gesendet und kein Versuch gezählt.",
		"请更正这些字段后重新发送请求。本次请求没有发送消息，也不计入尝试次数。",
	}},
	{malformedBody, text{
		"The body of the request isn't exactly one JSON object in UTF-8: it is empty, cut off, an array, has data behind it, or names a key twice.",
		"Der Inhalt der Anfrage ist nicht genau ein JSON-Objekt in UTF-8: Er ist leer, abgeschnitten, ein Array, hat Daten dahinter oder nennt einen Schlüssel doppelt.",
		"请求正文不是单个 UTF-8 编码的 JSON 对象：正文为空、不完整、是数组、后面还有其他数据，或者有重复的键。",
	}, text{
		"Send one JSON object with the documented fields.",
		"Ein einziges JSON-Objekt mit den dokumentierten Feldern senden.",
		"请发送一个包含文档所列字段的 JSON 对象。",
	}},
	{tooFrequent, text{
		"Codes for this address, from this network or from the whole service were asked for too often. It is the same for every address, whether anybody has an account with it or not.",
		"Für diese Adresse, aus diesem Netz oder vom ganzen Dienst wurden zu oft Codes angefordert. Das ist für jede Adresse gleich, ob jemand ein Konto mit ihr hat oder nicht.",
		"针对此地址、来自此网络或对整个服务的验证码请求过于频繁。无论该地址是否有账户，结果都相同。",
	}, text{
		"Wait for the seconds that retry_after and the Retry-After header say, then ask again. A code that has already arrived can still be used.",
		"Die Sekunden abwarten, die retry_after und der Header Retry-After nennen, dann erneut anfragen. Ein schon angekommener Code ist weiter verwendbar.",
		"请等待 retry_after 和 Retry-After 标头给出的秒数后再请求。已经收到的验证码仍可使用。",
	}},
	{codeInvalid, text{
		"No live code of this address is the one that was sent: it is mistyped, has been used, or was replaced by a newer one, or nobody may sign in with the address. Which of these it is isn't told.",
		"Kein gültiger Code dieser Adresse ist der gesendete: Er ist vertippt, schon benutzt oder durch einen neueren ersetzt, oder mit der Adresse darf sich niemand anmelden. Was davon zutrifft, wird nicht verraten.",
		"所发送的验证码不是此地址的有效验证码：可能输入有误、已被使用、已被新的验证码取代，或者此地址不允许登录。具体原因不予透露。",
	}, text{
		"Have the code from the latest message typed again, or ask for a new one. Each wrong try counts.",
		"Den Code aus der neuesten Nachricht noch einmal eingeben lassen oder einen neuen anfordern. Jeder falsche Versuch zählt.",
		"请重新输入最近一条消息中的验证码，或重新获取。每次错误都会计数。",
	}},
	{codeTooOld, text{
		"The code was right, but its lifetime, the expires_in of the answer when it was sent, is over.",
		"Der Code war richtig, aber seine Lebensdauer, das expires_in der Antwort beim Senden, ist vorbei.",
		"验证码正确，但已超过有效期，即发送时响应中的 expires_in。",
	}, text{
		"Ask for a new code.",
		"Einen neuen Code anfordern.",
		"请重新获取验证码。",
	}},
	{tooManyAttempts, text{
		"There were so many wrong tries of this code that it isn't accepted any more, not even if it is right.",
		"Dieser Code wurde so oft falsch eingegeben, dass er nicht mehr angenommen wird, auch wenn er richtig ist.",
		"该验证码的错误次数过多，即使正确也不再被接受。",
	}, text{
		"Ask for a new code. Asking for one doesn't reset the count of the address's wrong tries.",
		"Einen neuen Code anfordern. Das setzt die Zahl der falschen Versuche an der Adresse nicht zurück.",
		"请重新获取验证码。重新获取不会重置此地址的错误次数。",
	}},
	{coolingDown, text{
		"There were so many wrong codes for this address in a row that none is accepted for a while, on any API or page of the site.",
		"Für diese Adresse kamen so viele falsche Codes hintereinander, dass eine Zeit lang keiner angenommen wird, auf keiner API oder Seite der Site.",
		"此地址连续出现过多错误验证码，在一段时间内，本站点的所有 API 和页面都不接受其验证码。",
	}, text{
		"Wait for the seconds that retry_after and the Retry-After header say. The next wrong code makes the wait longer; a right one ends it.",
		"Die Sekunden abwarten, die retry_after und der Header Retry-After nennen. Der nächste falsche Code verlängert die Wartezeit, ein richtiger beendet sie.",
		"请等待 retry_after 和 Retry-After 标头给出的秒数。再次出错会延长等待时间，输入正确则解除限制。",
	}},
	{foreignOrigin, text{
		"A page of another site made the request, and its origin isn't among those that may call the API.",
		"Die Anfrage kam von einer Seite einer anderen Site, deren Ursprung nicht unter denen ist, die die API aufrufen dürfen.",
		"请求来自其他站点的页面，其来源不在允许调用该 API 的名单中。",
	}, text{
		"If the page is yours, add its origin to the Caddyfile: api autional { origin https://spa.example.com }.",
		"Wenn es eine eigene Seite ist, ihren Ursprung im Caddyfile ergänzen: api autional { origin https://spa.example.com }.",
		"如果该页面属于您，请在 Caddyfile 中添加其来源：api autional { origin https://spa.example.com }。",
	}},
	{methodNotAllowed, text{
		"The path exists, but not for this HTTP method.",
		"Den Pfad gibt es, aber nicht für diese HTTP-Methode.",
		"该路径存在，但不支持此 HTTP 方法。",
	}, text{
		"Use a method that the Allow header names.",
		"Eine Methode verwenden, die der Header Allow nennt.",
		"请使用 Allow 标头列出的方法。",
	}},
	{bodyTooSlow, text{
		"The body of the request wasn't complete within 5 seconds.",
		"Der Inhalt der Anfrage war nicht binnen 5 Sekunden vollständig.",
		"请求正文未能在 5 秒内完整到达。",
	}, text{
		"Send the whole request at once, over a new connection.",
		"Die ganze Anfrage auf einmal senden, über eine neue Verbindung.",
		"请通过新的连接一次性发送完整请求。",
	}},
	{bodyTooLarge, text{
		"The body of the request is over 8 KiB. No request of this API needs as much.",
		"Der Inhalt der Anfrage ist größer als 8 KiB. Keine Anfrage dieser API braucht so viel.",
		"请求正文超过 8 KiB。该 API 的任何请求都不需要这么多内容。",
	}, text{
		"Send the documented fields only.",
		"Nur die dokumentierten Felder senden.",
		"请只发送文档所列的字段。",
	}},
	{unsupportedMediaType, text{
		"The Content-Type of the request isn't application/json, or its body is compressed.",
		"Der Content-Type der Anfrage ist nicht application/json, oder ihr Inhalt ist komprimiert.",
		"请求的 Content-Type 不是 application/json，或者正文经过压缩。",
	}, text{
		"Send Content-Type: application/json, and no Content-Encoding.",
		"Content-Type: application/json senden, und keinen Header Content-Encoding.",
		"请发送 Content-Type: application/json，不要发送 Content-Encoding。",
	}},
	{tooEarly, text{
		"The request came as early data of TLS 1.3 or HTTP/3, which others could repeat (RFC 8470).",
		"Die Anfrage kam als Early Data von TLS 1.3 oder HTTP/3, die andere wiederholen könnten (RFC 8470).",
		"请求以 TLS 1.3 或 HTTP/3 的早期数据形式到达，可能被他人重放（RFC 8470）。",
	}, text{
		"Send it again on the same connection. Most clients do so by themselves.",
		"Sie auf derselben Verbindung erneut senden. Die meisten Clients tun das von selbst.",
		"请在同一连接上重新发送。大多数客户端会自动这样做。",
	}},
	{internal, text{
		"Something is wrong on the server: a defect, or a store that gives answers that can't be understood.",
		"Auf dem Server stimmt etwas nicht: ein Fehler, oder ein Speicher, dessen Antworten nicht zu verstehen sind.",
		"服务器出现问题：程序缺陷，或存储返回了无法理解的内容。",
	}, text{
		"Tell whoever runs the site the request_id: the log has the reason under it. Trying again at once won't help.",
		"Die request_id denen nennen, die die Site betreiben: Unter ihr steht der Grund im Log. Ein sofortiger neuer Versuch hilft nicht.",
		"请将 request_id 告知站点管理者：日志中记录了相应的原因。立即重试没有帮助。",
	}},
	{unavailable, text{
		"The store of codes and sessions can't be reached or takes no writes right now. Nothing was sent, and no code was judged or used up.",
		"Der Speicher der Codes und Sitzungen ist gerade nicht erreichbar oder nimmt nichts an. Es wurde nichts gesendet, und kein Code geprüft oder verbraucht.",
		"验证码和会话的存储目前无法访问或无法写入。没有发送任何消息，也没有校验或消耗任何验证码。",
	}, text{
		"Send the same request again after the seconds that retry_after and the Retry-After header say.",
		"Dieselbe Anfrage nach den Sekunden erneut senden, die retry_after und der Header Retry-After nennen.",
		"请在 retry_after 和 Retry-After 标头给出的秒数之后重新发送相同的请求。",
	}},
	{noFactor, text{
		"This person needs a second factor to sign in, and the site knows no other address of theirs that a code could be sent to.",
		"Diese Person braucht zum Anmelden einen zweiten Faktor, und die Site kennt keine andere Adresse von ihr, an die ein Code gesendet werden könnte.",
		"此人登录需要第二重验证，但站点不知道其可以接收验证码的其他地址。",
	}, text{
		"Whoever runs the site can add an e-mail address or a phone number of the person to its directory.",
		"Die Betreiber der Site können im Verzeichnis eine E-Mail-Adresse oder Telefonnummer der Person ergänzen.",
		"站点管理者可以在目录中为此人添加电子邮件地址或电话号码。",
	}},
	{linkInvalid, text{
		"The token isn't that of a link which can still be used: it is cut off, too old, has been used, or was replaced by a newer one.",
		"Das token ist nicht das eines noch verwendbaren Links: Es ist abgeschnitten, zu alt, schon benutzt oder durch ein neueres ersetzt.",
		"该 token 不属于仍可使用的链接：可能不完整、已过期、已被使用，或已被新的链接取代。",
	}, text{
		"Ask for a new link.",
		"Einen neuen Link anfordern.",
		"请重新获取链接。",
	}},
	{linkUnconfirmed, text{
		"A link was followed by GET, as mail scanners do too. It hasn't been used up.",
		"Ein Link wurde per GET aufgerufen, wie es auch Mail-Scanner tun. Er ist nicht verbraucht.",
		"链接被以 GET 方式打开，邮件扫描器也会这样做。链接尚未被使用。",
	}, text{
		"Send its token by POST to the same path, once a person has confirmed it.",
		"Sein token per POST an denselben Pfad senden, sobald ein Mensch es bestätigt hat.",
		"待用户确认后，将其 token 以 POST 发送到同一路径。",
	}},
}
