async def test_drivers_tell_their_options(http):
    body = (await http.get("/drivers")).json()

    assert [driver["name"] for driver in body["drivers"]] == ["local_storage", "memory"]
    assert body["drivers"][0]["options"] == {"type": "object"}
    assert body["drivers"][0]["about"] == "A folder."
