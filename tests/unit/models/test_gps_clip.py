from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import Dinov2Config, Dinov2Model

from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.models.gps_clip import DinoV2, GPSClip, info_nce, open_gps_clip

BOX = {"south": 40.730, "west": -73.999, "north": 40.788, "east": -73.955}


def tiny(**settings: object) -> GPSClip:
    torch.manual_seed(0)
    sizes = {"width": 12, "hidden_width": 8, "has_heading": True}
    return GPSClip(**{**BOX, **sizes, **settings}).eval()


def places(*rows: tuple[float, float]) -> tuple[torch.Tensor, torch.Tensor]:
    lat, lon = torch.tensor(rows, dtype=torch.float64).T
    return lat, lon


def pictures(count: int, side: int = 16) -> torch.Tensor:
    return torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(1)) * 2 - 1


@pytest.fixture(scope="module")
def dinov2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dinov2")
    torch.manual_seed(0)
    config = Dinov2Config(hidden_size=16, num_hidden_layers=1, num_attention_heads=2, patch_size=14, image_size=28)
    Dinov2Model(config).save_pretrained(folder)
    return folder


def test_both_towers_give_unit_vectors_and_the_score_is_their_cosine() -> None:
    model = tiny()
    lat, lon = places((40.74, -73.99), (40.75, -73.98))
    one, other = model.embed_pictures(pictures(2)), model.embed_places(lat, lon)
    assert torch.allclose(one.norm(dim=1), torch.ones(2))
    assert torch.allclose(other.norm(dim=1), torch.ones(2))
    score = model.gps_score(pictures(2), lat, lon)
    assert torch.allclose(score, 100 * (one * other).sum(dim=1))
    density = model.log_density(pictures(2), lat, lon)
    assert torch.allclose(density.diagonal() * 0.07 * 100, score, atol=1e-4)


def test_the_location_tower_is_that_of_the_paper() -> None:
    tower = tiny(has_heading=False).location_tower
    kinds = [type(layer).__name__ for layer in tower.coordinate]
    assert kinds == ["Linear", "GELU"] * 5 + ["Linear"]
    # One MLP for both coordinates: exchanged coordinates exchange the halves of what the last layer sees.
    seen: list[torch.Tensor] = []
    tower.output.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    x, y, heading = torch.tensor([0.3]), torch.tensor([-0.6]), torch.tensor([float("nan")])
    tower(x, y, heading)
    tower(y, x, heading)
    assert torch.allclose(seen[0].roll(8, dims=1), seen[1])


def test_headings_count_where_they_are_known() -> None:
    model = tiny()
    lat, lon = places((40.74, -73.99))

    def embedded(heading: float) -> torch.Tensor:
        return model.embed_places(lat, lon, torch.tensor([heading], dtype=torch.float64))

    assert torch.equal(model.embed_places(lat, lon), embedded(float("nan")))
    assert torch.allclose(embedded(0.0), embedded(360.0), atol=1e-5)
    assert not torch.allclose(embedded(0.0), embedded(180.0), atol=1e-3)
    assert torch.equal(tiny(has_heading=False).embed_places(lat, lon), tiny(has_heading=False).embed_places(lat, lon))


def test_places_outside_the_box_are_moved_to_its_edge() -> None:
    model = tiny()
    inside, outside = places((40.788, -73.98)), places((41.5, -73.98))
    assert torch.equal(model.embed_places(*inside), model.embed_places(*outside))


def test_info_nce_in_closed_form() -> None:
    axes = torch.eye(4)
    # Right pairs have the cosine 1, all others 0.
    expected = torch.log(1 + 3 * torch.exp(torch.tensor(-1 / 0.5)))
    assert torch.allclose(info_nce(axes, axes, 0.5), expected)
    assert torch.allclose(info_nce(axes[:1].expand(4, -1), axes[:1].expand(4, -1), 0.07), torch.tensor(4.0).log())


def test_a_saved_model_is_the_same_when_it_is_opened(tmp_path: Path) -> None:
    model = tiny()
    model.save_pretrained(tmp_path / "clip")
    assert {file.name for file in (tmp_path / "clip").iterdir()} == {
        "config.json",
        "diffusion_pytorch_model.safetensors",
    }
    again = open_gps_clip(tmp_path / "clip")
    lat, lon = places((40.74, -73.99), (40.75, -73.98))
    assert torch.equal(model.gps_score(pictures(2), lat, lon), again.gps_score(pictures(2), lat, lon))
    assert again.box == model.box


def test_what_is_no_gps_clip_is_refused(tmp_path: Path) -> None:
    with pytest.raises(GPSDreamError) as missing:
        open_gps_clip(tmp_path / "nowhere")
    assert missing.value.failure.kind is ErrorKind.MODEL_MISSING
    (tmp_path / "config.json").write_text("{}", encoding="utf-8")
    with pytest.raises(GPSDreamError) as corrupt:
        open_gps_clip(tmp_path)
    assert corrupt.value.failure.kind is ErrorKind.MODEL_CORRUPT


def test_missing_weights_are_not_filled_with_random_ones(tmp_path: Path, dinov2: Path) -> None:
    tiny().save_pretrained(tmp_path)
    for folder, name in ((tmp_path, "diffusion_pytorch_model.safetensors"), (dinov2, "model.safetensors")):
        path = folder / name
        weights = load_file(path)
        left = dict(list(weights.items())[1:])
        whole = path.read_bytes()
        save_file(left, path, metadata={"format": "pt"})
        try:
            with pytest.raises(GPSDreamError) as refused:
                _ = open_gps_clip(folder) if folder == tmp_path else DinoV2.open(folder)
            assert refused.value.failure.kind is ErrorKind.MODEL_CORRUPT
        finally:
            path.write_bytes(whole)


def test_a_dinov2_of_ones_own(tmp_path: Path, dinov2: Path) -> None:
    tower = DinoV2.open(dinov2)
    model = tiny(dinov2_width=tower.width, dinov2_folder=str(dinov2))
    with pytest.raises(ValueError, match="DINOv2"):
        model.features(pictures(1))
    model.dinov2 = tower
    assert model.features(pictures(2)).shape == (2, 16)
    assert not any("dinov2" in name for name in model.state_dict())
    assert not any(parameter.requires_grad for parameter in tower.model.parameters())
    # As transformers' own processor would prepare a picture of the right size: colours from 0 to 1, then normed.
    picture = pictures(1, 224)
    mean = torch.tensor([0.485, 0.456, 0.406])[:, None, None]
    deviation = torch.tensor([0.229, 0.224, 0.225])[:, None, None]
    with torch.no_grad():
        expected = tower.model(pixel_values=((picture + 1) / 2 - mean) / deviation).last_hidden_state[:, 0]
    assert torch.allclose(model.features(picture), expected, atol=1e-5)

    model.save_pretrained(tmp_path / "clip")
    lat, lon = places((40.74, -73.99))
    again = open_gps_clip(tmp_path / "clip")
    assert torch.allclose(again.gps_score(pictures(1), lat, lon), model.gps_score(pictures(1), lat, lon))
    moved = tmp_path / "moved"
    dinov2.rename(moved)
    try:
        with pytest.raises(GPSDreamError, match="no longer"):
            open_gps_clip(tmp_path / "clip")
        assert open_gps_clip(tmp_path / "clip", moved).dinov2 is not None
    finally:
        moved.rename(dinov2)


def test_another_dinov2_is_refused(tmp_path: Path, dinov2: Path) -> None:
    tiny(dinov2_width=24, dinov2_folder=str(dinov2)).save_pretrained(tmp_path / "clip")
    with pytest.raises(GPSDreamError, match="another size"):
        open_gps_clip(tmp_path / "clip")
    with pytest.raises(GPSDreamError, match="not a DINOv2"):
        DinoV2.open(tmp_path)
