"""Meshes as files: GLB, OBJ, PLY, STL and KMZ, in metres, each with the axis that its readers expect.

| file | up | unit | colours |
|---|---|---|---|
| GLB | y, by a node matrix; vertices stay east, north, up | metres (glTF 2.0) | texture, or linear vertex colours |
| OBJ + MTL + PNG | y (-z is north) | metres, by custom | texture, or sRGB after each vertex |
| PLY | z, said in a comment | metres, said in a comment | sRGB bytes per vertex |
| STL | z | metres; printers take them for millimetres | none |
| KMZ | z, said in the Collada file | metres | texture, or their mean |
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import trimesh

from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.domain.files import whole_file
from gpsdream_app.domain.places import Place
from gpsdream_app.library.paths import storage_error
from gpsdream_app.library.picture_metadata import SOURCE_TYPE
from gpsdream_app.lifting.mesh import LiftedMesh, vertex_normals
from gpsdream_app.lifting.scale import UNSCALED, Scale

Y_UP = np.array([[1.0, 0, 0, 0], [0, 0, 1.0, 0], [0, -1.0, 0, 0], [0, 0, 0, 1.0]])
COLLADA = "http://www.collada.org/2005/11/COLLADASchema"
KML = "http://www.opengis.net/kml/2.2"


@dataclass(frozen=True)
class Standing:
    """Where a mesh stands and where it comes from.

    Attributes:
        name: of the landmark.
        scale: of field units in metres.
        place: of the landmark's foot; None if nobody said.
        heading: the way its front faces, degrees clockwise from north; the mesh itself lies along north already.
        model: the model that it was lifted from.
        more: further facts for the file, such as the prompt and the method.
    """

    name: str = "Landmark"
    scale: Scale = UNSCALED
    place: Place | None = None
    heading: float | None = None
    model: str = ""
    more: Mapping[str, Any] = field(default_factory=dict)

    def extras(self) -> dict[str, Any]:
        """The facts as they stand in files."""
        return {
            "name": self.name,
            "centre": None if self.place is None else {"latitude": self.place.lat, "longitude": self.place.lon},
            "metres_per_unit": self.scale.metres if self.scale.known else None,
            "unscaled": not self.scale.known,
            "heading": self.heading,
            "axes": "x east, y north, z up, from the foot",
            "model": self.model,
            "digital_source_type": SOURCE_TYPE,
            **self.more,
        }


def write_mesh(mesh: LiftedMesh, out: Path, standing: Standing) -> list[Path]:
    """Write a mesh in the format of the file's suffix. Each file appears whole or not at all.

    Args:
        mesh: field units.
        out: a name that ends in .glb, .obj, .ply, .stl or .kmz; existing files are replaced.
        standing: where it stands.

    Returns:
        The files; an OBJ comes with its materials and its texture.

    Raises:
        GPSDreamError: of kind `bad_request` for an empty mesh, another suffix, or a KMZ without a place; `disk_full` if
            the disk refuses.
    """
    if len(mesh.faces) == 0 or len(mesh.vertices) == 0:
        raise GPSDreamError(
            ErrorKind.BAD_REQUEST, "The mesh is empty, so no file was written.", "Lower the threshold, or lift longer."
        )
    writer = FORMATS.get(out.suffix.lower())
    if writer is None:
        known = ", ".join(suffix[1:].upper() for suffix in FORMATS)
        raise GPSDreamError(ErrorKind.BAD_REQUEST, f"A mesh is written as {known}, not as “{out.suffix}”.")
    written = []
    try:
        for name, content in writer(mesh, out.stem, standing).items():
            path = out.with_name(name)
            with whole_file(path) as temporary:
                temporary.write_bytes(content)
            written.append(path)
    except OSError as error:
        raise storage_error(error, out, "the mesh was not saved") from error
    return written


def linear_of(srgb: np.ndarray) -> np.ndarray:
    """Linear light, 0 to 1, of sRGB values, 0 to 1 (IEC 61966-2-1)."""
    return np.where(srgb <= 0.04045, srgb / 12.92, ((np.maximum(srgb, 0.04045) + 0.055) / 1.055) ** 2.4)


def bytes_of(colours: np.ndarray) -> np.ndarray:
    """Colours (N, 3), 0 to 1, as bytes (N, 4) with full opacity."""
    shown = (colours.clip(0, 1) * 255).round().astype(np.uint8)
    return np.concatenate([shown, np.full((len(shown), 1), 255, np.uint8)], axis=1)


def _trimesh(mesh: LiftedMesh, standing: Standing) -> trimesh.Trimesh:
    vertices = standing.scale.to_metres(mesh.vertices)
    made = trimesh.Trimesh(vertices, mesh.faces, process=False)
    if mesh.texture is not None and mesh.uv is not None:
        material = trimesh.visual.material.PBRMaterial(
            name="surface", baseColorTexture=mesh.picture(), metallicFactor=0.0, roughnessFactor=1.0
        )
        made.visual = trimesh.visual.TextureVisuals(uv=mesh.uv, material=material)
    else:
        made.visual = trimesh.visual.ColorVisuals(made, vertex_colors=bytes_of(mesh.colours))
    return made


def _glb(mesh: LiftedMesh, stem: str, standing: Standing) -> dict[str, bytes]:
    made = _trimesh(mesh, standing)
    made.metadata.clear()
    scene = trimesh.Scene()
    scene.add_geometry(made, node_name=standing.name or "landmark", geom_name="surface", transform=Y_UP)
    extras = standing.extras()
    linear = np.concatenate([linear_of(mesh.colours), np.ones((len(mesh.colours), 1))], axis=1)

    def finer_colours(buffers: dict[Any, bytes], tree: dict[str, Any]) -> None:
        """Vertex colours in glTF are linear light, for which bytes are too coarse in the dark: 16 bits instead."""
        accessors = list(tree["accessors"].values())
        for one in tree["meshes"]:
            number = one["primitives"][0]["attributes"].get("COLOR_0")
            if number is None:
                continue
            accessor = accessors[number]
            key = list(buffers)[accessor["bufferView"]]
            buffers[key] = (linear.clip(0, 1) * 65535).round().astype("<u2").tobytes()
            accessor["componentType"] = 5123  # UNSIGNED_SHORT
            accessor.pop("min", None)
            accessor.pop("max", None)

    def facts(tree: dict[str, Any]) -> None:
        tree["asset"]["generator"] = "GPSDream"
        tree["scenes"][0]["extras"] = extras
        if not tree.get("materials"):
            # Without one, glTF takes everything for metal.
            tree["materials"] = [{"pbrMetallicRoughness": {"metallicFactor": 0.0, "roughnessFactor": 1.0}}]
            for one in tree["meshes"]:
                one["primitives"][0]["material"] = 0

    content = trimesh.exchange.gltf.export_glb(
        scene, include_normals=True, buffer_postprocessor=finer_colours, tree_postprocessor=facts
    )
    return {f"{stem}.glb": content}


def _obj(mesh: LiftedMesh, stem: str, standing: Standing) -> dict[str, bytes]:
    # Read by line-based programs: what people have typed stays on its line.
    name = " ".join(standing.name.split())
    vertices = standing.scale.to_metres(mesh.vertices) @ Y_UP[:3, :3].T
    normals = vertex_normals(vertices, mesh.faces)
    corner = mesh.faces + 1
    lines = [
        f"# {name}: metres, y up, -z north. {json.dumps(standing.extras(), ensure_ascii=True)}",
        f"o {name.replace(' ', '_') or 'landmark'}",
    ]
    files = {}
    if mesh.texture is not None and mesh.uv is not None:
        material = ["newmtl surface", "Ka 0 0 0", "Kd 1 1 1", "Ks 0 0 0", "illum 1", f"map_Kd {stem}.png", ""]
        files = {f"{stem}.png": _png(mesh), f"{stem}.mtl": "\n".join(material).encode()}
        lines += [f"mtllib {stem}.mtl", "usemtl surface"]
        lines += [f"v {x:.6f} {y:.6f} {z:.6f}" for x, y, z in vertices]
        lines += [f"vt {u:.6f} {v:.6f}" for u, v in mesh.uv]
        faces = [f"f {a}/{a}/{a} {b}/{b}/{b} {c}/{c}/{c}" for a, b, c in corner]
    else:
        coloured = np.concatenate([vertices, mesh.colours.clip(0, 1)], axis=1)
        lines += [f"v {x:.6f} {y:.6f} {z:.6f} {r:.4f} {g:.4f} {b:.4f}" for x, y, z, r, g, b in coloured]
        faces = [f"f {a}//{a} {b}//{b} {c}//{c}" for a, b, c in corner]
    lines += [f"vn {x:.4f} {y:.4f} {z:.4f}" for x, y, z in normals]
    # The OBJ last: what it names is there by then.
    return files | {f"{stem}.obj": "\n".join([*lines, *faces, ""]).encode()}


def _png(mesh: LiftedMesh) -> bytes:
    buffer = io.BytesIO()
    picture = mesh.picture()
    assert picture is not None
    picture.save(buffer, "PNG")
    return buffer.getvalue()


def _ply(mesh: LiftedMesh, stem: str, standing: Standing) -> dict[str, bytes]:
    plain = LiftedMesh(mesh.vertices, mesh.faces, mesh.colours)
    content: bytes = trimesh.exchange.ply.export_ply(_trimesh(plain, standing), vertex_normal=True)
    facts = json.dumps(standing.extras(), ensure_ascii=True)
    first, rest = content.split(b"element vertex", 1)
    comments = f"comment metres, x east, y north, z up\ncomment {facts}\n".encode("ascii")
    return {f"{stem}.ply": first + comments + b"element vertex" + rest}


def _stl(mesh: LiftedMesh, stem: str, standing: Standing) -> dict[str, bytes]:
    made = trimesh.Trimesh(standing.scale.to_metres(mesh.vertices), mesh.faces, process=False)
    return {f"{stem}.stl": trimesh.exchange.stl.export_stl(made)}


def _kmz(mesh: LiftedMesh, stem: str, standing: Standing) -> dict[str, bytes]:
    place = standing.place
    if place is None:
        raise GPSDreamError(
            ErrorKind.BAD_REQUEST, "A KMZ needs the landmark's place on the map.", "Set the place, or write a GLB."
        )
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        # The KML comes first: readers take the first one that they find.
        archive.writestr("doc.kml", _kml(mesh, standing, place))
        archive.writestr("models/landmark.dae", collada(mesh, standing))
        if mesh.texture is not None:
            archive.writestr("models/texture.png", _png(mesh))
    return {f"{stem}.kmz": buffer.getvalue()}


def _element(parent: ElementTree.Element, tag: str, text: str | None = None, **attributes: str) -> ElementTree.Element:
    made = ElementTree.SubElement(parent, tag, attributes)
    made.text = text
    return made


def _document(root: ElementTree.Element) -> bytes:
    return b'<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="utf-8")


def _kml(mesh: LiftedMesh, standing: Standing, place: Place) -> bytes:
    """A model whose y axis points north at heading 0 (KML 2.2, 9.11): the mesh lies so already."""
    height = float(np.ptp(standing.scale.to_metres(mesh.vertices)[:, 2]))
    root = ElementTree.Element("kml", {"xmlns": KML})
    mark = _element(root, "Placemark")
    _element(mark, "name", _printable(standing.name))
    _element(mark, "description", _printable(f"Made with GPSDream by a trained model. {standing.model}".strip()))
    view = _element(mark, "LookAt")
    front = 180.0 if standing.heading is None else standing.heading
    for tag, value in (
        ("longitude", f"{place.lon:.9f}"),
        ("latitude", f"{place.lat:.9f}"),
        ("altitude", "0"),
        ("heading", f"{(front + 180.0) % 360.0:.2f}"),
        ("tilt", "65"),
        ("range", f"{max(50.0, 3.0 * height):.1f}"),
        ("altitudeMode", "relativeToGround"),
    ):
        _element(view, tag, value)
    model = _element(mark, "Model", id="landmark")
    _element(model, "altitudeMode", "relativeToGround")
    where = _element(model, "Location")
    _element(where, "longitude", f"{place.lon:.9f}")
    _element(where, "latitude", f"{place.lat:.9f}")
    _element(where, "altitude", "0")
    turn = _element(model, "Orientation")
    for tag in ("heading", "tilt", "roll"):
        _element(turn, tag, "0")
    size = _element(model, "Scale")
    for tag in ("x", "y", "z"):
        _element(size, tag, "1")
    _element(_element(model, "Link"), "href", "models/landmark.dae")
    if mesh.texture is not None:
        alias = _element(_element(model, "ResourceMap"), "Alias")
        _element(alias, "targetHref", "models/texture.png")
        _element(alias, "sourceHref", "texture.png")
    return _document(root)


def _printable(text: str) -> str:
    """Text without what XML cannot hold."""
    return "".join(c for c in text if c.isprintable())


def collada(mesh: LiftedMesh, standing: Standing) -> bytes:
    """A Collada 1.4.1 document: metres, z up, one material with the texture or the mean colour."""
    vertices = standing.scale.to_metres(mesh.vertices)
    normals = vertex_normals(vertices, mesh.faces)
    with_texture = mesh.texture is not None and mesh.uv is not None
    root = ElementTree.Element("COLLADA", {"xmlns": COLLADA, "version": "1.4.1"})
    asset = _element(root, "asset")
    _element(_element(asset, "contributor"), "authoring_tool", "GPSDream")
    # A fixed date, so that equal meshes give equal files.
    _element(asset, "created", "2000-01-01T00:00:00Z")
    _element(asset, "modified", "2000-01-01T00:00:00Z")
    _element(asset, "unit", name="meter", meter="1")
    _element(asset, "up_axis", "Z_UP")
    if with_texture:
        image = _element(_element(root, "library_images"), "image", id="texture", name="texture")
        _element(image, "init_from", "texture.png")
    effect = _element(_element(root, "library_effects"), "effect", id="surface-effect")
    profile = _element(effect, "profile_COMMON")
    if with_texture:
        surface = _element(_element(profile, "newparam", sid="texture-surface"), "surface", type="2D")
        _element(surface, "init_from", "texture")
        sampler = _element(_element(profile, "newparam", sid="texture-sampler"), "sampler2D")
        _element(sampler, "source", "texture-surface")
    diffuse = _element(_element(_element(profile, "technique", sid="common"), "lambert"), "diffuse")
    if with_texture:
        _element(diffuse, "texture", texture="texture-sampler", texcoord="UV")
    else:
        red, green, blue = mesh.colours.mean(axis=0).clip(0, 1)
        _element(diffuse, "color", f"{red:.4f} {green:.4f} {blue:.4f} 1")
    material = _element(_element(root, "library_materials"), "material", id="surface", name="surface")
    _element(material, "instance_effect", url="#surface-effect")

    geometry = _element(_element(root, "library_geometries"), "geometry", id="landmark-mesh", name="landmark")
    shape = _element(geometry, "mesh")

    def source(name: str, values: np.ndarray, axes: str) -> None:
        made = _element(shape, "source", id=name)
        numbers = " ".join(f"{value:.5f}" for value in values.reshape(-1))
        _element(made, "float_array", numbers, id=f"{name}-array", count=str(values.size))
        accessor = _element(
            _element(made, "technique_common"),
            "accessor",
            source=f"#{name}-array",
            count=str(len(values)),
            stride=str(len(axes)),
        )
        for axis in axes:
            _element(accessor, "param", name=axis, type="float")

    source("positions", vertices, "XYZ")
    source("normals", normals, "XYZ")
    if with_texture and mesh.uv is not None:
        source("uv", mesh.uv, "ST")
    _element(_element(shape, "vertices", id="vertices"), "input", semantic="POSITION", source="#positions")
    triangles = _element(shape, "triangles", material="surface-symbol", count=str(len(mesh.faces)))
    inputs = [("VERTEX", "#vertices"), ("NORMAL", "#normals")] + ([("TEXCOORD", "#uv")] if with_texture else [])
    for semantic, url in inputs:
        one = _element(triangles, "input", semantic=semantic, source=url, offset="0")
        if semantic == "TEXCOORD":
            one.set("set", "0")
    _element(triangles, "p", " ".join(map(str, mesh.faces.reshape(-1))))

    scene = _element(_element(root, "library_visual_scenes"), "visual_scene", id="scene")
    instance = _element(_element(scene, "node", id="landmark"), "instance_geometry", url="#landmark-mesh")
    common = _element(_element(instance, "bind_material"), "technique_common")
    bound = _element(common, "instance_material", symbol="surface-symbol", target="#surface")
    if with_texture:
        _element(bound, "bind_vertex_input", semantic="UV", input_semantic="TEXCOORD", input_set="0")
    _element(_element(root, "scene"), "instance_visual_scene", url="#scene")
    return _document(root)


FORMATS: dict[str, Callable[[LiftedMesh, str, Standing], dict[str, bytes]]] = {
    ".glb": _glb,
    ".obj": _obj,
    ".ply": _ply,
    ".stl": _stl,
    ".kmz": _kmz,
}


def footprint(mesh: LiftedMesh, standing: Standing) -> list[tuple[float, float]]:
    """The outline of a mesh on the map: its convex hull seen from above as (latitude, longitude), closed.

    Raises:
        GPSDreamError: of kind `bad_request` without a place.
    """
    from scipy.spatial import ConvexHull

    from gpsdream_app.geo.frames import LocalFrame

    if standing.place is None:
        raise GPSDreamError(ErrorKind.BAD_REQUEST, "Without a place a mesh has no footprint on the map.")
    flat = standing.scale.to_metres(mesh.vertices)[:, :2]
    ring = flat[ConvexHull(flat).vertices]
    frame = LocalFrame(standing.place.lat, standing.place.lon)
    points = [frame.to_degrees(float(east), float(north)) for east, north in ring]
    return [*points, points[0]]


def size_in_metres(mesh: LiftedMesh, scale: Scale) -> tuple[float, float, float]:
    """Width east, depth north and height of a mesh in metres."""
    east, north, up = (float(value) for value in np.ptp(scale.to_metres(mesh.vertices), axis=0))
    return east, north, up
