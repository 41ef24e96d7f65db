"""The texts of error pages, in the languages of the pages."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

TEXTS: Final[Mapping[str, Mapping[str, str]]] = {
    "en": {
        "missing": "There is no such page",
        "missing_text": "The address may be mistyped, or the page may be gone.",
        "invalid": "This address is not valid",
        "invalid_text": "The id of a job has at most 128 characters, and neither slashes nor control characters.",
        "misdirected": "The server does not answer to this name",
        "misdirected_text": "Without tokens it answers only where its address is a number, or localhost.",
        "unavailable": "The server cannot answer now",
        "unavailable_text": "Load the page again in a moment.",
        "failed": "The server failed",
        "failed_text": "Its log has the reason.",
        "refused": "The server refused this request",
        "refused_text": "Open the page by its address.",
        "home": "Start page",
    },
    "ja": {
        "missing": "ページが見つかりません",
        "missing_text": "アドレスが間違っているか、ページがなくなった可能性があります。",
        "invalid": "このアドレスは無効です",
        "invalid_text": "ジョブの ID は 128 文字以内で、スラッシュや制御文字は使えません。",
        "misdirected": "このサーバーはこの名前では応答しません",
        "misdirected_text": "トークンがない場合、数値のアドレスか localhost でのみ応答します。",
        "unavailable": "サーバーは現在応答できません",
        "unavailable_text": "しばらくしてから再読み込みしてください。",
        "failed": "サーバーでエラーが発生しました",
        "failed_text": "原因はサーバーのログに記録されています。",
        "refused": "このリクエストは拒否されました",
        "refused_text": "ページのアドレスを開いてください。",
        "home": "トップページ",
    },
}

_KINDS: Final[Mapping[int, str]] = {
    HTTPStatus.NOT_FOUND: "missing",
    HTTPStatus.MISDIRECTED_REQUEST: "misdirected",
    HTTPStatus.UNPROCESSABLE_ENTITY: "invalid",
    HTTPStatus.TOO_MANY_REQUESTS: "unavailable",
    HTTPStatus.SERVICE_UNAVAILABLE: "unavailable",
    HTTPStatus.INTERNAL_SERVER_ERROR: "failed",
}


def error_text(language: str, status: int) -> tuple[str, str]:
    """Return the title of the page for a status, and the sentence below it."""
    kind = _KINDS.get(status, "refused")
    return TEXTS[language][kind], TEXTS[language][f"{kind}_text"]
