import asyncio
import gzip

import pytest

from stagedoor.http.answer import Cache
from stagedoor.http.rendered import COMPRESSED_FROM_BYTES, Rendered

SMALL = b'{"data":[]}'
LARGE = b"seat " * 20_000


def rendered(body: bytes) -> Rendered:
    return Rendered(body, cache=Cache.HER_IF_ASKED_AGAIN)


async def test_a_list_carries_its_tag_and_who_may_keep_it() -> None:
    answer = await rendered(SMALL).answer({})

    headers = dict(answer.raw_headers)
    assert headers[b"etag"].startswith(b'W/"')
    assert headers[b"cache-control"] == b"private, no-cache"
    assert headers[b"vary"] == b"accept-encoding"
    assert answer.body == SMALL


@pytest.mark.parametrize("wanted", ['W/"{tag}"', '"{tag}"', 'W/"other", W/"{tag}"', "*", ' "x" ,"{tag}" '])
async def test_somebody_who_has_it_is_told_so(wanted: str) -> None:
    listed = rendered(SMALL)

    answer = await listed.answer({"if-none-match": wanted.format(tag=listed.tag)})

    assert (answer.status, answer.body) == (304, b"")
    assert {name for name, _ in answer.raw_headers} == {b"etag", b"cache-control", b"vary"}


@pytest.mark.parametrize("wanted", ['W/"other"', "", "nonsense", '"*"'])
async def test_somebody_who_has_another_gets_it(wanted: str) -> None:
    assert (await rendered(SMALL).answer({"if-none-match": wanted})).status == 200


@pytest.mark.parametrize("accepted", ["gzip", "deflate, gzip;q=1.0", "*", "GZIP", "br;q=1, gzip;q=0.2"])
async def test_a_large_list_is_compressed_for_who_takes_it(accepted: str) -> None:
    answer = await rendered(LARGE).answer({"accept-encoding": accepted})

    assert (b"content-encoding", b"gzip") in answer.raw_headers
    assert gzip.decompress(answer.body) == LARGE


@pytest.mark.parametrize("accepted", ["", "identity", "gzip;q=0", "br", "*;q=0", "gzip;q=0, *"])
async def test_and_for_nobody_else(accepted: str) -> None:
    assert (await rendered(LARGE).answer({"accept-encoding": accepted})).body == LARGE


async def test_a_small_list_is_sent_as_it_is() -> None:
    answer = await rendered(b"x" * (COMPRESSED_FROM_BYTES - 1)).answer({"accept-encoding": "gzip"})

    assert (b"content-encoding", b"gzip") not in answer.raw_headers


async def test_it_is_compressed_once_for_all_even_if_the_first_gives_up() -> None:
    listed = rendered(LARGE)
    first, second = (asyncio.ensure_future(listed.compressed()) for _ in range(2))
    await asyncio.sleep(0)

    first.cancel()

    assert gzip.decompress(await second) == LARGE
    assert await listed.compressed() is await second
